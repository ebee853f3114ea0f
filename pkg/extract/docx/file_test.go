package docx

import (
	"archive/zip"
	"bytes"
	"sort"
	"testing"
)

const (
	wNS = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" ` +
		`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" ` +
		`xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" ` +
		`xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" ` +
		`xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" ` +
		`xmlns:v="urn:schemas-microsoft-com:vml" ` +
		`xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" ` +
		`xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"`
	officeRel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	wordType  = "application/vnd.openxmlformats-officedocument.wordprocessingml."
)

// docxFile is a document made of its body's XML and further parts of word/.
type docxFile struct {
	body  string
	parts map[string]string // "styles.xml" -> content inside the root element
	extra map[string]string // whole parts, by full name
	rels  string            // further relationships of the main part
}

var roots = map[string]string{
	"styles.xml": "w:styles", "numbering.xml": "w:numbering", "footnotes.xml": "w:footnotes", "endnotes.xml": "w:endnotes",
	"comments.xml": "w:comments", "header1.xml": "w:hdr", "header2.xml": "w:hdr", "footer1.xml": "w:ftr",
}

func (f docxFile) pack(t testing.TB) []byte {
	t.Helper()
	all := map[string]string{
		"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="xml" ContentType="application/xml"/><Default Extension="html" ContentType="text/html"/>` +
			`<Override PartName="/word/document.xml" ContentType="` + wordType + `document.main+xml"/></Types>`,
		"_rels/.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="r1" Type="` + officeRel + `officeDocument" Target="word/document.xml"/>` +
			`<Relationship Id="r2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/>` +
			`<Relationship Id="r3" Type="` + officeRel + `extended-properties" Target="docProps/app.xml"/></Relationships>`,
		"word/document.xml": `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document ` + wNS + `><w:body>` + f.body + `</w:body></w:document>`,
	}
	rels := f.rels
	for name, content := range f.parts {
		root := roots[name]
		all["word/"+name] = "<" + root + " " + wNS + ">" + content + "</" + root + ">"
		kind := name[:len(name)-len(".xml")]
		for len(kind) > 0 && kind[len(kind)-1] >= '0' && kind[len(kind)-1] <= '9' {
			kind = kind[:len(kind)-1]
		}
		rels += `<Relationship Id="` + name + `" Type="` + officeRel + kind + `" Target="` + name + `"/>`
	}
	all["word/_rels/document.xml.rels"] = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + rels + `</Relationships>`
	for name, content := range f.extra {
		all[name] = content
	}
	return zipOf(t, all)
}

func zipOf(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	names := make([]string, 0, len(parts))
	for n := range parts {
		names = append(names, n)
	}
	sort.Strings(names)
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

// para is a paragraph of that style, with its text as it is in XML.
func para(style, text string) string {
	if style != "" {
		style = `<w:pPr><w:pStyle w:val="` + style + `"/></w:pPr>`
	}
	return `<w:p>` + style + run(text) + `</w:p>`
}

func run(text string) string { return `<w:r><w:t xml:space="preserve">` + text + `</w:t></w:r>` }

func item(list, level, text string) string {
	return `<w:p><w:pPr><w:numPr><w:ilvl w:val="` + level + `"/><w:numId w:val="` + list + `"/></w:numPr></w:pPr>` + run(text) + `</w:p>`
}

func cellOf(content string) string { return `<w:tc>` + content + `</w:tc>` }

func tableOf(look string, rows ...[]string) string {
	s := `<w:tbl><w:tblPr>` + look + `</w:tblPr>`
	for _, r := range rows {
		s += `<w:tr>`
		for _, c := range r {
			s += cellOf(para("", c))
		}
		s += `</w:tr>`
	}
	return s + `</w:tbl>`
}

const stylesXML = `<w:docDefaults><w:rPrDefault><w:rPr><w:lang w:val="pt-BR"/></w:rPr></w:rPrDefault></w:docDefaults>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>
<w:style w:type="paragraph" w:styleId="Ttulo1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:pPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Ttulo2"><w:name w:val="heading 2"/><w:basedOn w:val="Ttulo1"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My Section"/><w:basedOn w:val="Ttulo2"/></w:style>
<w:style w:type="paragraph" w:styleId="Circle"><w:name w:val="circle"/><w:basedOn w:val="Circle2"/></w:style>
<w:style w:type="paragraph" w:styleId="Circle2"><w:name w:val="circle2"/><w:basedOn w:val="Circle"/></w:style>
<w:style w:type="paragraph" w:styleId="Quote"><w:name w:val="Quote"/></w:style>
<w:style w:type="paragraph" w:styleId="Code"><w:name w:val="HTML Preformatted"/></w:style>
<w:style w:type="paragraph" w:styleId="Bullet"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Numbered"><w:name w:val="Numbered Heading"/><w:basedOn w:val="Ttulo1"/><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="Numbered2"><w:name w:val="Numbered Heading 2"/><w:basedOn w:val="Ttulo2"/><w:pPr><w:numPr><w:ilvl w:val="1"/><w:numId w:val="3"/></w:numPr></w:pPr></w:style>
<w:style w:type="character" w:styleId="Hidden"><w:name w:val="Hidden"/><w:rPr><w:vanish/></w:rPr></w:style>
<w:style w:type="numbering" w:styleId="ListStyle"><w:name w:val="LS"/><w:pPr><w:numPr><w:numId w:val="4"/></w:numPr></w:pPr></w:style>`

func lvl(i, format, text string, more ...string) string {
	s := `<w:lvl w:ilvl="` + i + `"><w:start w:val="1"/><w:numFmt w:val="` + format + `"/><w:lvlText w:val="` + text + `"/>`
	for _, m := range more {
		s += m
	}
	return s + `</w:lvl>`
}

func numberingXML() string {
	return `<w:abstractNum w:abstractNumId="1">` + lvl("0", "decimal", "%1.") + lvl("1", "lowerLetter", "%2)") + lvl("2", "lowerRoman", "(%3)") + `</w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="2">` + lvl("0", "bullet", "") + lvl("1", "bullet", "o") + `</w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="3">` + lvl("0", "upperRoman", "%1") + lvl("1", "decimal", "%1.%2", `<w:isLgl/>`) + `</w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="4"><w:styleLink w:val="ListStyle"/>` + lvl("0", "upperLetter", "%1.") + `</w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="5"><w:numStyleLink w:val="ListStyle"/></w:abstractNum>` +
		`<w:abstractNum w:abstractNumId="6">` + lvl("0", "decimal", "%1.") + lvl("1", "decimal", "%1.%2", `<w:lvlRestart w:val="0"/>`) + `</w:abstractNum>` +
		`<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>` +
		`<w:num w:numId="2"><w:abstractNumId w:val="2"/></w:num>` +
		`<w:num w:numId="3"><w:abstractNumId w:val="3"/></w:num>` +
		`<w:num w:numId="4"><w:abstractNumId w:val="4"/></w:num>` +
		`<w:num w:numId="5"><w:abstractNumId w:val="5"/></w:num>` +
		`<w:num w:numId="6"><w:abstractNumId w:val="1"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride></w:num>` +
		`<w:num w:numId="7"><w:abstractNumId w:val="6"/></w:num>`
}
