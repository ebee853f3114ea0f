package detect

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const officeTypes = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/%" ContentType="application/vnd.openxmlformats-officedocument.%+xml"/></Types>`

func zipOf(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func officeFile(t testing.TB, kind string) []byte {
	t.Helper()
	return zipOf(t, "[Content_Types].xml", strings.ReplaceAll(officeTypes, "%", kind))
}

// oleOf is a compound file whose directory has these names, four to a sector,
// in sectors that don't follow one another.
func oleOf(names ...string) []byte {
	const sector = 512
	dirs := (len(names) + 3) / 4
	b := make([]byte, sector*(2+2*dirs))
	copy(b, oleMagic)
	binary.LittleEndian.PutUint16(b[0x1e:], 9)
	binary.LittleEndian.PutUint32(b[0x30:], 1)
	fat := b[sector : 2*sector]
	for i := range fat {
		fat[i] = 0xff
	}
	for i := range dirs {
		at := 1 + 2*i
		next := uint32(0xfffffffe)
		if i+1 < dirs {
			next = uint32(at + 2)
		}
		binary.LittleEndian.PutUint32(fat[4*at:], next)
		for j, name := range names[4*i : min(4*i+4, len(names))] {
			e := b[(at+1)*sector+128*j:]
			u := utf16.Encode([]rune(name))
			for k, c := range u {
				binary.LittleEndian.PutUint16(e[2*k:], c)
			}
			binary.LittleEndian.PutUint16(e[64:], uint16(2*len(u)+2))
		}
	}
	return b
}

// testDetector reads what docsvc began with.
func testDetector() *Detector { return New(PDF, DOCX, HTML, Markdown, Text) }

func TestDetect(t *testing.T) {
	t.Parallel()
	const docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	page := "<!-- saved -->\n<!DOCTYPE html><html><body><p>x"
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(page)
	if err != nil {
		t.Fatal(err)
	}
	markdown := "# Title\n\nSome **bold** text with [a link](http://example.org).\n"
	binaryJunk := "\x01\x02\x03\x00\xfe\x9c" + strings.Repeat("\x00\x8f\x11", 40)
	for name, c := range map[string]struct {
		raw, file, declared string
		want                string // format, or code
		says                string // in the warning or the message
	}{
		"pdf":                        {"%PDF-1.7\n%\xe2\xe3", "a.pdf", "application/pdf", PDF, ""},
		"pdf after a mail's lines":   {"Content-Type: x\r\n\r\n%PDF-1.4\n", "a.pdf", "", PDF, ""},
		"pdf by another name":        {"%PDF-1.7\n", "a.docx", docx, PDF, "declared as DOCX, but it is PDF"},
		"text about pdf":             {"A file begins with %PDF-1.7 when it is one.", "a.txt", "", Text, ""},
		"docx":                       {string(officeFile(t, "wordprocessingml.document.main")), "a.docx", docx, DOCX, ""},
		"docx without content types": {string(zipOf(t, "[Content_Types].xml", "<Types/>", "word/document.xml", "x")), "", "", DOCX, ""},
		"template":                   {string(officeFile(t, "wordprocessingml.template.main")), "", "", DOCX, ""},
		"docx declared as pdf":       {string(officeFile(t, "wordprocessingml.document.main")), "a.pdf", "application/pdf", DOCX, "declared as PDF, but it is DOCX"},
		"xlsx":                       {string(officeFile(t, "spreadsheetml.sheet.main")), "a.xlsx", "", block.CodeUnsupported, "This file is an Excel"},
		"pptx":                       {string(officeFile(t, "presentationml.presentation.main")), "", "", block.CodeUnsupported, "PowerPoint"},
		"pptx with a sheet inside":   {string(zipOf(t, "[Content_Types].xml", strings.ReplaceAll(officeTypes, "%", "presentationml.slideshow.main")+strings.ReplaceAll(officeTypes, "%", "spreadsheetml.sheet"))), "", "", block.CodeUnsupported, "PowerPoint"},
		"visio":                      {string(officeFile(t, "visio.drawing")), "", "", block.CodeUnsupported, "Office file"},
		"odt":                        {string(zipOf(t, "mimetype", "application/vnd.oasis.opendocument.text")), "", "", block.CodeUnsupported, "OpenDocument text"},
		"ods":                        {string(zipOf(t, "mimetype", "application/vnd.oasis.opendocument.spreadsheet")), "", "", block.CodeUnsupported, "OpenDocument file"},
		"epub":                       {string(zipOf(t, "mimetype", "application/epub+zip\n")), "", "", block.CodeUnsupported, "EPUB"},
		"jar":                        {string(zipOf(t, "META-INF/MANIFEST.MF", "x")), "", "", block.CodeUnsupported, "Java"},
		"a zip declared as pdf":      {string(zipOf(t, "a.txt", "x")), "report.pdf", "application/pdf", block.CodeUnsupported, "declared as PDF, but it is a zip archive"},
		"broken zip":                 {"PK\x03\x04 and then nothing", "a.docx", docx, block.CodeCorrupt, "damaged"},
		"broken zip as pdf":          {"PK\x03\x04 and then nothing", "a.pdf", "", block.CodeUnsupported, "declared as PDF, but it is a zip archive"},
		"encrypted docx":             {string(oleOf("Root Entry", "EncryptionInfo", "x", "y", "EncryptedPackage")), "a.docx", docx, block.CodeEncrypted, "password"},
		"doc":                        {string(oleOf("Root Entry", "WordDocument")), "a.docx", docx, block.CodeUnsupported, "declared as DOCX, but it is a Word 97-2003"},
		"xls":                        {string(oleOf("Root Entry", "Workbook")), "", "", block.CodeUnsupported, "XLS"},
		"ppt":                        {string(oleOf("Root Entry", "PowerPoint Document")), "", "", block.CodeUnsupported, "PPT"},
		"msg":                        {string(oleOf("Root Entry", "__properties_version1.0")), "", "", block.CodeUnsupported, "MSG"},
		"ole cut short":              {oleMagic + "xx", "", "", block.CodeUnsupported, "old Office"},
		"rtf":                        {`{\rtf1\ansi hello}`, "a.txt", "text/plain", block.CodeUnsupported, "RTF"},
		"postscript":                 {"%!PS-Adobe-3.0\n", "", "", block.CodeUnsupported, "PostScript"},
		"png":                        {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a.png", "", block.CodeUnsupported, "This file is an image (image/png)"},
		"png declared as docx":       {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a.docx", docx, block.CodeUnsupported, "declared as DOCX, but it is an image (image/png)"},
		"flac":                       {"fLaC\x00\x00\x00\x22\x10\x00\x10\x00", "", "", block.CodeUnsupported, "recording"},
		"executable":                 {"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", "", "", block.CodeUnsupported, "application/x-"},
		"junk declared as pdf":       {binaryJunk, "a.pdf", "application/pdf", block.CodeCorrupt, "declared as PDF"},
		"junk":                       {binaryJunk, "data.bin", "application/octet-stream", block.CodeUnsupported, "not known"},
		"empty":                      {"", "a.pdf", "application/pdf", block.CodeEmpty, "empty"},
		"html":                       {page, "", "", HTML, ""},
		"html in utf-16":             {wide, "", "", HTML, ""},
		"html declared as text":      {page, "a.txt", "text/plain", HTML, "declared as plain text, but it is HTML"},
		"html declared as pdf":       {page, "a.pdf", "application/pdf", HTML, "declared as PDF, but it is HTML"},
		"xhtml":                      {"<?xml version='1.0'?>\n<html xmlns='x'>", "", "application/octet-stream", HTML, ""},
		"html by its first tag":      {"  <div class=x>text</div>", "", "", HTML, ""},
		"fragment declared as html":  {"text <b>bold</b>", "", "text/html; charset=x", HTML, ""},
		"text declared as html":      {"a < b and c > d", "a.html", "", Text, "declared as HTML, but it is plain text"},
		"markdown":                   {markdown, "", "", Markdown, ""},
		"markdown by name":           {"just words", "README.MD", "", Markdown, ""},
		"markdown declared as text":  {markdown, "a.md", "text/plain", Text, ""},
		"markdown with html inside":  {"<p align=center>logo</p>\n\n# Title", "a.md", "", Markdown, ""},
		"script":                     {"#!/bin/sh\n# Comment\n- **a**\n", "", "", Text, ""},
		"text with a list":           {"Shopping:\n- milk\n- bread\n", "", "", Text, ""},
		"xml":                        {"<?xml version='1.0'?><note><p>x</p></note>", "", "", Text, ""},
		"csv":                        {"a;b\n1;2\n", "a.csv", "", Text, ""},
		"latin1":                     {"Opera\xe7\xe3o", "", "", Text, ""},
		"text declared as pdf":       {"just words", "a.pdf", "application/pdf", Text, "declared as PDF, but it is plain text"},
		"text as something else":     {"BM is no picture here, GIF89a neither", "", "", Text, ""},
	} {
		got, err := testDetector().Detect(strings.NewReader(c.raw), int64(len(c.raw)), c.file, c.declared)
		var coded *block.Error
		switch {
		case errors.As(err, &coded):
			if coded.Code != c.want || !strings.Contains(coded.Message, c.says) {
				t.Errorf("%s: %s: %s", name, coded.Code, coded.Message)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case got.Format != c.want || got.MIME != formatNamed(c.want).MIME:
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		case c.says == "" && len(got.Warnings) > 0, c.says != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.says)):
			t.Errorf("%s: warnings %q", name, got.Warnings)
		}
	}
}

func TestDetectPassesOnCharsetAndReadErrors(t *testing.T) {
	t.Parallel()
	got, err := testDetector().Detect(strings.NewReader("x"), 1, "", `text/plain; charset="ISO-8859-15"`)
	if err != nil || got.Charset != "ISO-8859-15" {
		t.Errorf("%+v, %v", got, err)
	}
	gone := errors.New("disk gone")
	if _, err := testDetector().Detect(failing{gone}, 5, "", ""); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func TestDeclared(t *testing.T) {
	t.Parallel()
	for contentType, want := range map[string]bool{
		"": true, "application/octet-stream": true, "application/pdf": true, "Application/PDF": true, "text/html; charset=utf-8": true,
		"text/markdown": true, "text/x-markdown": true, "text/plain": true,
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": true,
		"application/msword": false, "image/png": false, "application/zip": false, "text/csv": false, "nonsense": false, "application/pdf2": false,
	} {
		if got := testDetector().Declared(contentType, "a.pdf"); got != want {
			t.Errorf("%q: %v", contentType, got)
		}
	}
	for _, f := range testDetector().Formats() {
		if !testDetector().Declared(f.MIME, "") || f.Title == "" || len(f.Extensions) == 0 {
			t.Errorf("%+v", f)
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte("%PDF-"), "a.pdf", "application/pdf")
	f.Add(officeFile(f, "wordprocessingml.document.main"), "", "")
	f.Add(oleOf("WordDocument", "a", "b", "c", "d"), "", "")
	f.Add([]byte("<!-- <?xml ?> # [a](b) **c**"), "a.md", "text/html; charset=;;")
	f.Fuzz(func(t *testing.T, raw []byte, name, declared string) {
		got, err := testDetector().Detect(bytes.NewReader(raw), int64(len(raw)), name, declared)
		var coded *block.Error
		if err != nil && (!errors.As(err, &coded) || coded.Message == "") || err == nil && formatNamed(got.Format).Name == "" {
			t.Fatalf("%+v, %v", got, err)
		}
	})
}

// A format becomes readable by its name alone: telling it apart is here already.
func TestEveryFormatIsToldApart(t *testing.T) {
	t.Parallel()
	var names []string
	for _, f := range known() {
		names = append(names, f.Name)
		if f.Called == "" || f.MIME == "" {
			t.Errorf("%+v", f)
		}
	}
	all := New(names...)
	mail := "Received: by x\r\n\tfor y\r\nFrom: a@example.org\r\nTo: b@example.org\r\nSubject: s\r\n\r\nbody"
	for name, c := range map[string]struct{ raw, file, declared, want, mime string }{
		"pptx":                       {string(officeFile(t, "presentationml.presentation.main")), "", "", PPTX, ""},
		"xlsx":                       {string(officeFile(t, "spreadsheetml.sheet.main")), "", "", XLSX, ""},
		"pptx without content types": {string(zipOf(t, "[Content_Types].xml", "<Types/>", "ppt/presentation.xml", "x")), "", "", PPTX, ""},
		"odt":                        {string(zipOf(t, "mimetype", formatNamed(ODT).MIME)), "", "", ODT, ""},
		"odt template":               {string(zipOf(t, "mimetype", formatNamed(ODT).MIME+"-template")), "", "", ODT, ""},
		"ods":                        {string(zipOf(t, "mimetype", formatNamed(ODS).MIME)), "", "", ODS, ""},
		"odp":                        {string(zipOf(t, "mimetype", formatNamed(ODP).MIME)), "", "", ODP, ""},
		"epub":                       {string(zipOf(t, "mimetype", "application/epub+zip\n")), "", "", EPUB, ""},
		"epub, no mimetype":          {string(zipOf(t, "META-INF/container.xml", "x")), "", "", EPUB, ""},
		"doc":                        {string(oleOf("Root Entry", "WordDocument")), "", "", DOC, ""},
		"xls":                        {string(oleOf("Root Entry", "Book")), "", "", XLS, ""},
		"ppt":                        {string(oleOf("Root Entry", "PowerPoint Document")), "", "", PPT, ""},
		"msg":                        {string(oleOf("Root Entry", "__properties_version1.0")), "", "", MSG, ""},
		"rtf":                        {`{\rtf1\ansi hello}`, "a.doc", "", RTF, ""},
		"csv":                        {"a;b\n1;2\n", "a.csv", "", CSV, ""},
		"csv undeclared":             {"a;b\n1;2\n", "", "", Text, ""},
		"mail":                       {mail, "", "", EML, ""},
		"mail as html":               {mail, "a.html", "", EML, ""},
		"half a mail":                {"Subject: x\n\nbody", "a.eml", "", EML, ""},
		"a list of terms":            {"Note: x\nTodo: y\nSubject: z\n\nbody", "", "", Text, ""},
		"png":                        {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "", "", Image, "image/png"},
		"jpeg":                       {"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "", "", Image, "image/jpeg"},
	} {
		got, err := all.Detect(strings.NewReader(c.raw), int64(len(c.raw)), c.file, c.declared)
		if err != nil || got.Format != c.want || c.mime != "" && got.MIME != c.mime {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
