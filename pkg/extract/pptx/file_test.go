package pptx

import (
	"archive/zip"
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	pNS = `xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" ` +
		`xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" ` +
		`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" ` +
		`xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" ` +
		`xmlns:cx="http://schemas.microsoft.com/office/drawing/2014/chartex" ` +
		`xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" ` +
		`xmlns:p188="http://schemas.microsoft.com/office/powerpoint/2018/8/main" ` +
		`xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" ` +
		`xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main"`
	officeRel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
)

// deck is a presentation made of the shapes of its slides.
type deck struct {
	slides []page
	parts  map[string]string // further parts below ppt/, whole
	rels   string            // further relationships of the main part
}

// page is one slide: what stands in its tree, and what it refers to.
type page struct {
	shapes string
	attrs  string
	rels   map[string]string // "chart charts/c.xml" by id
}

func (d deck) pack(t testing.TB) []byte {
	t.Helper()
	all := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/ppt/presentation.xml" ContentType="application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"/></Types>`,
		"_rels/.rels": relations(map[string]string{"r1": "officeDocument ppt/presentation.xml", "r2": "core-properties docProps/core.xml"}, ""),
	}
	ids, main := "", map[string]string{}
	// The files have the numbers of another order than that in which they are shown.
	for i, s := range d.slides {
		name := fmt.Sprintf("slides/slide%d.xml", len(d.slides)-i)
		id := fmt.Sprintf("s%d", i)
		ids += `<p:sldId id="256" r:id="` + id + `"/>`
		main[id] = "slide " + name
		all["ppt/"+name] = `<p:sld ` + pNS + ` ` + s.attrs + `><p:cSld><p:spTree><p:nvGrpSpPr/><p:grpSpPr/>` + s.shapes + `</p:spTree></p:cSld></p:sld>`
		under := map[string]string{}
		for id, r := range s.rels {
			kind, target, _ := strings.Cut(r, " ")
			under[id] = kind + " ../" + target
		}
		all[strings.Replace("ppt/"+name, "slides/", "slides/_rels/", 1)+".rels"] = relations(under, "")
	}
	all["ppt/presentation.xml"] = `<p:presentation ` + pNS + `><p:sldIdLst>` + ids + `</p:sldIdLst></p:presentation>`
	all["ppt/_rels/presentation.xml.rels"] = relations(main, d.rels)
	for name, content := range d.parts {
		all["ppt/"+name] = content
	}
	return zipOf(t, all)
}

func relations(list map[string]string, more string) string {
	s := `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	for id, r := range list {
		kind, target, _ := strings.Cut(r, " ")
		s += `<Relationship Id="` + id + `" Type="` + officeRel + kind + `" Target="` + target + `"/>`
	}
	return s + more + `</Relationships>`
}

func zipOf(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	names := make([]string, 0, len(parts))
	for n := range parts {
		names = append(names, n)
	}
	slices.Sort(names)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[n])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sp is a shape that fills a place ("title", "body 1"; "" for a text box) with
// paragraphs, at a place of its own unless at is empty.
func sp(place, at string, paragraphs ...string) string {
	ph := ""
	if place != "" {
		kind, idx, _ := strings.Cut(place, " ")
		ph = `<p:ph type="` + kind + `" idx="` + idx + `"/>`
		if idx == "" {
			ph = `<p:ph type="` + kind + `"/>`
		}
	}
	return `<p:sp><p:nvSpPr><p:cNvPr id="1" name="x"/><p:cNvSpPr/><p:nvPr>` + ph + `</p:nvPr></p:nvSpPr><p:spPr>` + xfrm("a", at) + `</p:spPr>` +
		`<p:txBody><a:bodyPr/>` + strings.Join(paragraphs, "") + `</p:txBody></p:sp>`
}

// xfrm is a place given as "x y w h".
func xfrm(prefix, at string) string {
	if at == "" {
		return ""
	}
	v := strings.Fields(at)
	return `<` + prefix + `:xfrm><a:off x="` + v[0] + `" y="` + v[1] + `"/><a:ext cx="` + v[2] + `" cy="` + v[3] + `"/></` + prefix + `:xfrm>`
}

func para(text string) string { return listPara("", text) }

// listPara is a paragraph whose a:pPr is given.
func listPara(props, text string) string {
	return `<a:p>` + props + `<a:r><a:rPr lang="en"/><a:t>` + text + `</a:t></a:r></a:p>`
}

func frame(at, content string) string {
	return `<p:graphicFrame><p:nvGraphicFramePr><p:cNvPr id="1" name="x"/><p:nvPr/></p:nvGraphicFramePr>` + xfrm("p", at) +
		`<a:graphic><a:graphicData uri="x">` + content + `</a:graphicData></a:graphic></p:graphicFrame>`
}

func tableOf(props string, rows ...[]string) string {
	var s strings.Builder
	s.WriteString(`<a:tbl><a:tblPr ` + props + `/>`)
	for _, r := range rows {
		s.WriteString(`<a:tr h="1">`)
		for _, c := range r {
			s.WriteString(`<a:tc><a:txBody>` + para(c) + `</a:txBody></a:tc>`)
		}
		s.WriteString(`</a:tr>`)
	}
	return s.String() + `</a:tbl>`
}

func points(kind string, values ...string) string {
	s := `<c:` + kind + `><c:ptCount val="9"/>`
	for i, v := range values {
		s += fmt.Sprintf(`<c:pt idx="%d"><c:v>%s</c:v></c:pt>`, i, v)
	}
	return s + `</c:` + kind + `>`
}
