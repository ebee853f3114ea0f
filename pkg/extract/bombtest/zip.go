package bombtest

import (
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	declaration   = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`
	relationships = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
	wordML        = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`
)

// zips are archives of which a part, or all of them, expand.
func zips() []Bomb {
	xlsx := []part{
		{name: "[Content_Types].xml", begin: types("/xl/workbook.xml", "spreadsheetml.sheet.main+xml")},
		{name: "_rels/.rels", begin: root("xl/workbook.xml")},
		{name: "xl/workbook.xml", begin: declaration + `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="` + relationships + `"><sheets><sheet name="a" sheetId="1" r:id="s1"/></sheets></workbook>`},
		{name: "xl/_rels/workbook.xml.rels", begin: `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="s1" Type="` + relationships + `/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="s2" Type="` + relationships + `/sharedStrings" Target="sharedStrings.xml"/></Relationships>`},
	}
	const sheet = declaration + `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
	const none = sheet + `</sheetData></worksheet>`
	return []Bomb{
		{"bomb.docx", "a document of a gibibyte", block.CodeBomb, docx(part{
			begin: declaration + `<w:document ` + wordML + `><w:body>`, fill: paragraphs(1 << 20), times: 1024, end: `</w:body></w:document>`})},
		{"bomb.docx", "white space of a gibibyte", block.CodeBomb, docx(part{
			begin: declaration + `<w:document ` + wordML + `><w:body>`, fill: spaces(1 << 20), times: 1024, end: `</w:body></w:document>`})},
		{"bomb.xlsx", "shared strings that expand", block.CodeBomb, archive(append(xlsx, part{name: "xl/worksheets/sheet1.xml", begin: none},
			part{name: "xl/sharedStrings.xml", begin: declaration + `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">`, fill: strings.Repeat("<si><t>a</t></si>", 1<<16), times: 512, end: "</sst>"})...)},
		{"bomb.xlsx", "a long string that every cell has", block.CodeBomb, archive(append(xlsx,
			part{name: "xl/sharedStrings.xml", begin: declaration + `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>`, fill: "0123456789abcdef", times: 1 << 13, end: "</t></si></sst>"},
			part{name: "xl/worksheets/sheet1.xml", begin: sheet, fill: `<row><c t="s"><v>0</v></c></row>`, times: 5000, end: "</sheetData></worksheet>"})...)},
		{"bomb.xlsx", "a sheet that expands", block.CodeBomb, archive(append(xlsx,
			part{name: "xl/worksheets/sheet1.xml", begin: sheet, fill: strings.Repeat("<row><c><v>1</v></c></row>", 1<<15), times: 1024, end: "</sheetData></worksheet>"})...)},
	}
}

func types(name, kind string) string {
	return declaration + `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="` + name + `" ContentType="application/vnd.openxmlformats-officedocument.` + kind + `"/></Types>`
}

func root(target string) string {
	return `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="` + relationships + `/officeDocument" Target="` + target + `"/></Relationships>`
}

func docx(document part, more ...part) []byte {
	document.name = "word/document.xml"
	return archive(append([]part{
		{name: "[Content_Types].xml", begin: types("/word/document.xml", "wordprocessingml.document.main+xml")},
		{name: "_rels/.rels", begin: root("word/document.xml")},
		document,
	}, more...)...)
}

func paragraphs(size int) string {
	const one = "<w:p><w:r><w:t>text</w:t></w:r></w:p>"
	return strings.Repeat(one, size/len(one))
}

// documents are XML that nests or multiplies, packed little.
func documents() []Bomb {
	body := declaration + `<w:document ` + wordML + `><w:body>`
	entities := declaration + "<!DOCTYPE w:document [<!ENTITY a0 \"text text text \">"
	for i := 1; i < 12; i++ {
		entities += fmt.Sprintf("<!ENTITY a%d \"%s\">", i, strings.Repeat(fmt.Sprintf("&a%d;", i-1), 10))
	}
	return []Bomb{
		{"bomb.docx", "elements a million deep", block.CodeBomb, docx(part{begin: body, fill: strings.Repeat("<w:p>", 1000), times: 1000})},
		// Entities are not expanded: there is one paragraph with the text &a11;.
		{"bomb.docx", "entities of entities", "", docx(part{begin: entities + `]><w:document ` + wordML + `><w:body><w:p><w:r><w:t>&a11;</w:t></w:r></w:p></w:body></w:document>`})},
		{"bomb.rtf", "groups a million deep", block.CodeBomb, []byte(`{\rtf1 ` + strings.Repeat("{", 1_000_000))},
	}
}
