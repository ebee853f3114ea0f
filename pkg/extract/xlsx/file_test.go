package xlsx

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

const (
	xNS = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"`
	officeRel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
)

// book is a workbook made of the rows of its sheets.
type book struct {
	sheets  []tab
	strings string            // content of the list of shared strings
	styles  string            // content of the styles
	props   string            // attributes of workbookPr
	parts   map[string]string // further parts below xl/, whole
	rels    map[string]string // further relationships of the workbook
}

type tab struct {
	name, attrs string
	data        string // rows
	rels        map[string]string
}

func (b book) pack(t testing.TB) []byte {
	t.Helper()
	all := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`,
		"_rels/.rels":          relations(map[string]string{"r1": "officeDocument xl/workbook.xml"}),
		"xl/sharedStrings.xml": `<sst ` + xNS + `>` + b.strings + `</sst>`,
		"xl/styles.xml":        `<styleSheet ` + xNS + `>` + b.styles + `</styleSheet>`,
	}
	list, rels := "", map[string]string{"ss": "sharedStrings sharedStrings.xml", "st": "styles styles.xml"}
	for i, s := range b.sheets {
		// The files have the numbers of another order than that of the sheets.
		name, id := fmt.Sprintf("worksheets/sheet%d.xml", len(b.sheets)-i), fmt.Sprintf("s%d", i)
		list += `<sheet name="` + s.name + `" sheetId="1" ` + s.attrs + ` r:id="` + id + `"/>`
		rels[id] = "worksheet " + name
		all["xl/"+name] = `<worksheet ` + xNS + `><sheetData>` + s.data + `</sheetData></worksheet>`
		all["xl/"+strings.Replace(name, "worksheets/", "worksheets/_rels/", 1)+".rels"] = relations(s.rels)
	}
	maps.Copy(rels, b.rels)
	all["xl/workbook.xml"] = `<workbook ` + xNS + `><workbookPr ` + b.props + `/><sheets>` + list + `</sheets></workbook>`
	all["xl/_rels/workbook.xml.rels"] = relations(rels)
	for name, content := range b.parts {
		all["xl/"+name] = content
	}
	return zipOf(t, all)
}

func relations(list map[string]string) string {
	s := `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	for id, r := range list {
		kind, target, _ := strings.Cut(r, " ")
		s += `<Relationship Id="` + id + `" Type="` + officeRel + kind + `" Target="` + target + `"/>`
	}
	return s + `</Relationships>`
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

// row is one whose cells are given as they are, num and text.
func row(n int, cells ...string) string {
	return fmt.Sprintf(`<row r="%d">`, n) + strings.Join(cells, "") + `</row>`
}

func num(ref, v string) string { return `<c r="` + ref + `"><v>` + v + `</v></c>` }

func text(ref, s string) string {
	return `<c r="` + ref + `" t="inlineStr"><is><t>` + s + `</t></is></c>`
}
