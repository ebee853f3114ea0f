package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
)

// docxDoc is a Word document built from body pieces.
type docxDoc struct {
	title, author, language string
	body                    []string // XML of paragraphs and tables
	footnotes               []string
}

func heading(level int, text string) string {
	return fmt.Sprintf(`<w:p><w:pPr><w:pStyle w:val="Heading%d"/></w:pPr>%s</w:p>`, level, runs(text))
}

func para(text string) string { return `<w:p>` + runs(text) + `</w:p>` }

// item is an entry of the numbered list (1) or the bulleted one (2).
func item(list int, text string) string {
	return fmt.Sprintf(`<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="%d"/></w:numPr></w:pPr>%s</w:p>`, list, runs(text))
}

// noted is a paragraph with a footnote mark at its end.
func noted(text string, note int) string {
	return fmt.Sprintf(`<w:p>%s<w:r><w:footnoteReference w:id="%d"/></w:r></w:p>`, runs(text), note)
}

func tableXML(rows [][]string) string {
	var b strings.Builder
	b.WriteString(`<w:tbl>`)
	for i, row := range rows {
		b.WriteString(`<w:tr>`)
		if i == 0 {
			b.WriteString(`<w:trPr><w:tblHeader/></w:trPr>`)
		}
		for _, cell := range row {
			b.WriteString(`<w:tc>` + para(cell) + `</w:tc>`)
		}
		b.WriteString(`</w:tr>`)
	}
	return b.String() + `</w:tbl>`
}

func runs(text string) string {
	return `<w:r><w:t xml:space="preserve">` + html.EscapeString(text) + `</w:t></w:r>`
}

const wordNS = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`

// writeDOCX writes the document; the same input gives the same bytes.
func writeDOCX(d docxDoc) ([]byte, error) {
	var notes strings.Builder
	for i, text := range d.footnotes {
		fmt.Fprintf(&notes, `<w:footnote w:id="%d">%s</w:footnote>`, i+1, para(text))
	}
	const xmlHead = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	const word = "application/vnd.openxmlformats-officedocument.wordprocessingml."
	const rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	parts := []struct{ name, text string }{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Default Extension="xml" ContentType="application/xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="` + word + `document.main+xml"/>` +
			`<Override PartName="/word/styles.xml" ContentType="` + word + `styles+xml"/>` +
			`<Override PartName="/word/numbering.xml" ContentType="` + word + `numbering+xml"/>` +
			`<Override PartName="/word/footnotes.xml" ContentType="` + word + `footnotes+xml"/>` +
			`<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="` + rel + `officeDocument" Target="word/document.xml"/>` +
			`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties" Target="docProps/core.xml"/></Relationships>`},
		{"word/_rels/document.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="` + rel + `styles" Target="styles.xml"/>` +
			`<Relationship Id="rId2" Type="` + rel + `numbering" Target="numbering.xml"/>` +
			`<Relationship Id="rId3" Type="` + rel + `footnotes" Target="footnotes.xml"/></Relationships>`},
		{"word/document.xml", `<w:document ` + wordNS + `><w:body>` + strings.Join(d.body, "") + `<w:sectPr/></w:body></w:document>`},
		{"word/styles.xml", `<w:styles ` + wordNS + `>` + styles() + `</w:styles>`},
		{"word/numbering.xml", `<w:numbering ` + wordNS + `>` +
			`<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl></w:abstractNum>` +
			`<w:abstractNum w:abstractNumId="1"><w:lvl w:ilvl="0"><w:numFmt w:val="bullet"/><w:lvlText w:val="&#8226;"/></w:lvl></w:abstractNum>` +
			`<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num></w:numbering>`},
		{"word/footnotes.xml", `<w:footnotes ` + wordNS + `>` + notes.String() + `</w:footnotes>`},
		{"docProps/core.xml", `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
			`<dc:title>` + html.EscapeString(d.title) + `</dc:title><dc:creator>` + html.EscapeString(d.author) + `</dc:creator><dc:language>` + d.language + `</dc:language>` +
			`<dcterms:created xsi:type="dcterms:W3CDTF">2026-03-01T09:00:00Z</dcterms:created></cp:coreProperties>`},
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, p := range parts {
		w, err := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: zip.Deflate, Modified: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(xmlHead + p.text)); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func styles() string {
	var b strings.Builder
	for level := 1; level <= 3; level++ {
		fmt.Fprintf(&b, `<w:style w:type="paragraph" w:styleId="Heading%d"><w:name w:val="heading %d"/><w:pPr><w:outlineLvl w:val="%d"/></w:pPr></w:style>`, level, level, level-1)
	}
	return b.String()
}
