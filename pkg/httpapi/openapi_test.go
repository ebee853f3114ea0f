package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/docsvc/docsvc/pkg/chunk"
)

func spec(t *testing.T) *api {
	t.Helper()
	a, err := build(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// documented lists "METHOD path" of the OpenAPI document as JSON.
func documented(t *testing.T) []string {
	t.Helper()
	b, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI version %q", doc.OpenAPI)
	}
	var out []string
	for path, methods := range doc.Paths {
		for method := range methods {
			out = append(out, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

func TestOpenAPIListsWhatIsServed(t *testing.T) {
	t.Parallel()
	served := slices.Clone(spec(t).mux.patterns)
	for i, p := range served {
		served[i] = strings.Replace(p, "{$}", "", 1)
	}
	slices.Sort(served)
	if got := documented(t); !slices.Equal(got, served) {
		t.Errorf("documented:\n%s\nserved:\n%s", strings.Join(got, "\n"), strings.Join(served, "\n"))
	}
}

// The routes that the API promises, so that none is lost by accident.
func TestAllRoutesAreThere(t *testing.T) {
	t.Parallel()
	want := []string{
		"GET /", "GET /docs", "GET /livez", "GET /metrics", "GET /openapi.json", "GET /readyz",
		"GET /api/v1/documents",
		"GET /api/v1/documents/stats",
		"GET /api/v1/documents/usage",
		"PATCH /api/v1/documents/{document_id}",
		"DELETE /api/v1/documents/{document_id}",
		"GET /api/v1/documents/{document_id}",
		"GET /api/v1/documents/{document_id}/chunks",
		"GET /api/v1/documents/{document_id}/original",
		"GET /api/v1/documents/{document_id}/status",
		"GET /api/v1/documents/{document_id}/text",
		"GET /api/v1/documents/{document_id}/thumbnail",
		"GET /api/v1/queue/health",
		"GET /api/v1/queue/info",
		"GET /api/v1/queue/info/{queue_name}",
		"GET /api/v1/queue/job/{job_id}",
		"GET /api/v1/queue/jobs",
		"POST /api/v1/documents/objects",
		"POST /api/v1/documents/upload/presigned",
		"POST /api/v1/documents/{document_id}/process",
		"POST /api/v1/queue/cleanup",
		"POST /api/v1/queue/job/{job_id}/cancel",
		"POST /api/v1/queue/job/{job_id}/retry",
	}
	slices.Sort(want)
	if got := documented(t); !slices.Equal(got, want) {
		t.Errorf("routes are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestEveryParameterAndFieldIsDescribed(t *testing.T) {
	t.Parallel()
	a := spec(t)
	o := a.huma.OpenAPI()
	for name, s := range o.Components.Schemas.Map() {
		for field, property := range s.Properties {
			if property.Description == "" && resolve(o, property).Description == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
	for _, op := range operationsOf(o) {
		for _, name := range pathNames(op.Path) {
			if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == name && p.In == "path" }) {
				t.Errorf("%s %s: %s is not a parameter", op.Method, op.Path, name)
			}
		}
		for _, p := range op.Parameters {
			if p.Description == "" {
				t.Errorf("%s: parameter %s has no description", op.OperationID, p.Name)
			}
		}
	}
	for schema, fields := range fieldDocs() {
		for name := range fields {
			if o.Components.Schemas.Map()[schema].Properties[name] == nil {
				t.Errorf("%s.%s is described but doesn't exist", schema, name)
			}
		}
	}
}

func pathNames(path string) []string {
	var names []string
	for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		names = append(names, m[1])
	}
	return names
}

// References and examples of the document must hold together.
func TestExamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	o := spec(t).huma.OpenAPI()
	for _, op := range operationsOf(o) {
		for status, r := range op.Responses {
			for ct, media := range r.Content {
				if media.Schema.Ref != "" && resolve(o, media.Schema) == nil {
					t.Errorf("%s %s: %s does not exist", op.OperationID, status, media.Schema.Ref)
				}
				raw, ok := media.Example.(json.RawMessage)
				if !ok {
					if status[0] == '2' && ct == "application/json" {
						t.Errorf("%s has no example", op.OperationID)
					}
					continue
				}
				var v any
				if err := json.Unmarshal(raw, &v); err != nil {
					t.Fatalf("%s: %v", op.OperationID, err)
				}
				res := &huma.ValidateResult{}
				huma.Validate(o.Components.Schemas, media.Schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeReadFromServer, v, res)
				for _, err := range res.Errors {
					t.Errorf("%s: example: %v", op.OperationID, err)
				}
			}
		}
	}
}

// Chunk stands in for chunk.Chunk in the document.
func TestChunkIsDocumentedAsItIs(t *testing.T) {
	t.Parallel()
	fields := func(typ reflect.Type) map[string]string {
		m := map[string]string{}
		for i := range typ.NumField() {
			m[typ.Field(i).Tag.Get("json")] = typ.Field(i).Type.String()
		}
		return m
	}
	if got, want := fields(reflect.TypeFor[Chunk]()), fields(reflect.TypeFor[chunk.Chunk]()); !maps.Equal(got, want) {
		t.Errorf("documented %v, is %v", got, want)
	}
}

func TestAPIMarkdownTellsWhatTheAPIDoes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	sections := map[string]string{}
	for _, s := range strings.Split(text, "\n### ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[strings.Trim(title, "` ")] = body
	}
	o := spec(t).huma.OpenAPI()
	var titles []string
	for _, op := range operationsOf(o) {
		title := op.Method + " " + op.Path
		titles = append(titles, title)
		body, ok := sections[title]
		if !ok {
			t.Errorf("no section for %s", title)
			continue
		}
		curl := op.Extensions["x-codeSamples"].([]codeSample)[0].Source
		if !strings.Contains(body, curl) {
			t.Errorf("%s: the section lacks\n%s", title, curl)
		}
		for _, r := range op.Responses {
			codes, _ := r.Extensions["x-codes"].([]string)
			for _, code := range codes {
				if !universal(code) && !strings.Contains(body, "`"+code+"`") {
					t.Errorf("%s: the section lacks the error %s", title, code)
				}
			}
		}
		checkFields(t, o, op, body)
	}
	for title := range sections {
		if !slices.Contains(titles, title) {
			t.Errorf("section for %s, which is not served", title)
		}
	}
	for code, e := range errorCodes {
		if row := fmt.Sprintf("| `%s` | %d |", code, e.Status); !strings.Contains(text, row) {
			t.Errorf("the table of errors lacks %s", row)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([0-9]{3}) \\|").FindAllStringSubmatch(text, -1) {
		if e, ok := errorCodes[m[1]]; !ok || fmt.Sprint(e.Status) != m[2] {
			t.Errorf("the table of errors has %s %s, which the API has not", m[1], m[2])
		}
	}
}

// The codes that a document may fail with are all explained.
func TestAPIMarkdownExplainsErrorCodesOfDocuments(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "\n## Why a document failed\n")
	if !ok {
		t.Fatal("no section about it")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	constant := regexp.MustCompile(`\bCode\w+\s*=\s*"(\w+)"`)
	known := map[string]bool{"worker_died": true} // rq's own, in pkg/rq/recover.go
	for _, file := range []string{"../extract/block/block.go", "../pipeline/failure.go", "../worker/handler.go", "../document/errors.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(source)
		if strings.HasSuffix(file, "document/errors.go") {
			_, text, _ = strings.Cut(text, "error_code has besides")
		}
		found := constant.FindAllStringSubmatch(text, -1)
		if len(found) < 3 {
			t.Errorf("%s: found only %d codes", file, len(found))
		}
		for _, m := range found {
			known[m[1]] = true
			if !strings.Contains(section, "`"+m[1]+"`") {
				t.Errorf("the section lacks %s of %s", m[1], file)
			}
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(section, -1) {
		for code := range strings.SplitSeq(m[1], ", ") {
			code = strings.Trim(code, "`")
			if _, ofAPI := errorCodes[code]; !known[code] && !ofAPI {
				t.Errorf("the section has %s, which no document fails with", code)
			}
		}
	}
}

// universal errors stand in the table only: any operation may answer them.
func universal(code string) bool {
	return slices.Contains([]string{"internal_error", "unauthorized", "host_not_allowed", "cross_origin", "body_too_large",
		"invalid_json", "request_timeout", "unreadable_body", "unsupported_media_type", "timed_out"}, code)
}

// checkFields looks for each parameter and each field of body and answer. A
// section that answers records may send its reader to the one of the record.
func checkFields(t *testing.T, o *huma.OpenAPI, op *huma.Operation, body string) {
	t.Helper()
	page := pageOf(o, op)
	fields := slices.Concat(page.Params, page.Body)
	for _, a := range page.Answers {
		fields = append(fields, a.Fields...)
	}
	var record map[string]*huma.Schema
	if strings.Contains(body, "[GET /api/v1/documents/{document_id}](#get-apiv1documentsdocument_id)") {
		record = o.Components.Schemas.Map()["Document"].Properties
	}
	for _, f := range fields {
		name := f.Name[strings.LastIndexAny(f.Name, ".]")+1:]
		if record[name] != nil && f.In == "" {
			continue
		}
		if !strings.Contains(body, name) {
			t.Errorf("%s %s: the section lacks the field %s", op.Method, op.Path, f.Name)
		}
	}
}

// Every code in the table is used, so that nobody is told of errors that
// don't exist.
func TestEveryErrorCodeIsAnswered(t *testing.T) {
	t.Parallel()
	used := map[string]bool{"not_found": true, "method_not_allowed": true}
	for _, op := range operationsOf(spec(t).huma.OpenAPI()) {
		for _, r := range op.Responses {
			codes, _ := r.Extensions["x-codes"].([]string)
			for _, c := range codes {
				used[c] = true
			}
		}
	}
	for code := range errorCodes {
		if !used[code] {
			t.Errorf("no operation answers %s", code)
		}
	}
}
