package httpapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// page is what the template shows. It is made from the OpenAPI document, so
// that it can't tell anything else.
type page struct {
	Title, Version, Description string
	Style                       template.CSS
	Groups                      []pageGroup
	Errors                      []pageError
}

type pageGroup struct {
	Name, Description string
	Operations        []pageOperation
}

type pageOperation struct {
	ID, Method, Path, Short    string
	Summary, Description, Curl string
	Open                       bool
	Params, Body               []pageField
	Answers                    []pageAnswer
	Errors                     []pageError
}

type pageField struct {
	Name, In, Type, Limits, Doc string
	Required                    bool
}

type pageAnswer struct {
	Status, Text, Example string
	Fields                []pageField
}

type pageError struct {
	Code, Title, Help string
	Status            int
}

// makePage renders the documentation page.
func makePage(t *testing.T, o *huma.OpenAPI) []byte {
	t.Helper()
	tmpl, err := template.ParseFiles("page/template.html")
	if err != nil {
		t.Fatal(err)
	}
	p := page{Title: o.Info.Title, Version: docsVersion, Description: o.Info.Description, Style: template.CSS(docsCSS)}
	for _, tag := range o.Tags {
		p.Groups = append(p.Groups, pageGroup{Name: tag.Name, Description: tag.Description})
	}
	for _, op := range operationsOf(o) {
		i := slices.IndexFunc(p.Groups, func(g pageGroup) bool { return g.Name == op.Tags[0] })
		if i < 0 {
			t.Fatalf("operation %s has the unknown tag %s", op.OperationID, op.Tags[0])
		}
		p.Groups[i].Operations = append(p.Groups[i].Operations, pageOf(o, op))
	}
	for _, code := range slices.Sorted(maps.Keys(errorCodes)) {
		e := errorCodes[code]
		p.Errors = append(p.Errors, pageError{Code: code, Status: e.Status, Title: e.Title, Help: e.Help})
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// operationsOf lists the operations in the order of their registration.
func operationsOf(o *huma.OpenAPI) []*huma.Operation {
	var ops []*huma.Operation
	for _, path := range slices.Sorted(maps.Keys(o.Paths)) {
		item := o.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Delete} {
			if op != nil {
				ops = append(ops, op)
			}
		}
	}
	slices.SortStableFunc(ops, func(a, b *huma.Operation) int {
		return cmp.Compare(place(a), place(b))
	})
	return ops
}

func place(op *huma.Operation) int {
	n, _ := op.Metadata["place"].(int)
	return n
}

func pageOf(o *huma.OpenAPI, op *huma.Operation) pageOperation {
	p := pageOperation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Short: strings.TrimPrefix(op.Path, "/api/v1"),
		Summary: op.Summary, Description: op.Description, Open: op.Security != nil,
	}
	if samples, ok := op.Extensions["x-codeSamples"].([]codeSample); ok && len(samples) > 0 {
		p.Curl = samples[0].Source
	}
	for _, param := range op.Parameters {
		f := fieldOf(o, param.Name, param.Schema, param.Description)
		f.In, f.Required = param.In, param.Required
		p.Params = append(p.Params, f)
	}
	if op.RequestBody != nil {
		p.Body = fieldsOf(o, op.RequestBody.Content["application/json"].Schema, "", 0)
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		p.addAnswer(o, status, op.Responses[status])
	}
	return p
}

func (p *pageOperation) addAnswer(o *huma.OpenAPI, status string, r *huma.Response) {
	if codes, ok := r.Extensions["x-codes"].([]string); ok {
		n, _ := strconv.Atoi(status)
		for _, c := range codes {
			p.Errors = append(p.Errors, pageError{Code: c, Status: n})
		}
		return
	}
	a := pageAnswer{Status: status, Text: r.Description}
	for _, ct := range slices.Sorted(maps.Keys(r.Content)) {
		media := r.Content[ct]
		if raw, ok := media.Example.(json.RawMessage); ok {
			var b bytes.Buffer
			if json.Indent(&b, raw, "", "  ") == nil {
				a.Example = b.String()
			}
		}
		for _, f := range fieldsOf(o, media.Schema, "", 0) {
			f.Required = false // says something of what to send only
			a.Fields = append(a.Fields, f)
		}
	}
	p.Answers = append(p.Answers, a)
}

// fieldsOf flattens a schema: nested fields get dotted names.
func fieldsOf(o *huma.OpenAPI, s *huma.Schema, prefix string, depth int) []pageField {
	s = resolve(o, s)
	const deepest = 3
	if s == nil || depth > deepest {
		return nil
	}
	if s.Type == huma.TypeArray {
		return fieldsOf(o, s.Items, prefix+"[].", depth+1)
	}
	var fields []pageField
	for _, name := range orderedProperties(s) {
		sub := s.Properties[name]
		f := fieldOf(o, prefix+name, sub, cmp.Or(sub.Description, resolve(o, sub).Description))
		f.Required = slices.Contains(s.Required, name)
		fields = append(fields, f)
		inner := resolve(o, sub)
		switch {
		case inner.Type == huma.TypeArray:
			fields = append(fields, fieldsOf(o, inner.Items, prefix+name+"[].", depth+1)...)
		case inner.Type == huma.TypeObject:
			fields = append(fields, fieldsOf(o, inner, prefix+name+".", depth+1)...)
		}
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		fields = append(fields, fieldsOf(o, values, prefix+"*.", depth+1)...)
	}
	return fields
}

// orderedProperties puts required fields first, each kind by name.
func orderedProperties(s *huma.Schema) []string {
	names := slices.Sorted(maps.Keys(s.Properties))
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(btoi(!slices.Contains(s.Required, a)), btoi(!slices.Contains(s.Required, b)))
	})
	return names
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func resolve(o *huma.OpenAPI, s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = o.Components.Schemas.SchemaFromRef(s.Ref)
	}
	return s
}

func fieldOf(o *huma.OpenAPI, name string, s *huma.Schema, doc string) pageField {
	s = resolve(o, s)
	f := pageField{Name: name, Type: cmp.Or(s.Type, "any"), Doc: doc}
	if s.Type == huma.TypeArray && s.Items != nil {
		f.Type = "array of " + cmp.Or(resolve(o, s.Items).Type, "any")
	}
	if s.Nullable {
		f.Type += " or null"
	}
	f.Limits = limits(s)
	return f
}

// limits says in a few words what a value must keep to.
func limits(s *huma.Schema) string {
	var l []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		l = append(l, strings.Join(values, " | "))
	}
	if s.Minimum != nil && s.Maximum != nil {
		l = append(l, fmt.Sprintf("%s to %s", number(*s.Minimum), number(*s.Maximum)))
	}
	if s.MaxLength != nil {
		l = append(l, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.MaxItems != nil {
		l = append(l, fmt.Sprintf("at most %d", *s.MaxItems))
	}
	l = append(l, cmp.Or(s.PatternDescription, s.Format))
	if s.Default != nil {
		l = append(l, fmt.Sprintf("default %v", reflect.Indirect(reflect.ValueOf(s.Default))))
	}
	return strings.Join(slices.DeleteFunc(l, func(s string) bool { return s == "" || s == "int64" || s == "double" }), ", ")
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
