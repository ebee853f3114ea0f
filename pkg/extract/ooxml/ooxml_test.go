package ooxml

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

const wNS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

// walk writes the tokens of an XML text.
func walk(xml string) (string, error) {
	x := NewReader(context.Background(), strings.NewReader(xml))
	var b strings.Builder
	for {
		t, err := x.Next()
		if err == io.EOF {
			return b.String(), nil
		}
		if err != nil {
			return b.String(), err
		}
		switch t.Kind {
		case Start:
			b.WriteString("<" + t.Name)
			if v, ok := t.Lookup("w:val"); ok {
				b.WriteString("=" + v)
			}
		case End:
			b.WriteString(">")
		case Text:
			b.Write(t.Text)
		}
	}
}

func TestNamespaces(t *testing.T) {
	t.Parallel()
	for xml, want := range map[string]string{
		`<w:p xmlns:w="` + wNS + `" w:val="1"/>`:                                  "<w:p=1>",
		`<x:p xmlns:x="` + wNS + `" x:val="1" w:val="2"/>`:                        "<w:p=1>",
		`<p xmlns="` + wNS + `" val="1"><r xmlns="urn:other"/><r/></p>`:           "<w:p=1<?:r><w:r>>",
		`<a:p xmlns:a="` + wNS + `"><a:r xmlns:a="urn:x"/><a:r/></a:p>`:           "<w:p<?:r><w:r>>",
		`<w:p w:val="not declared"/>`:                                             "<w:p=not declared>",
		`<w:p xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main">x</w:p>`: "<w:px>",
		"\ufeff<?xml version='1.0' encoding='utf-8'?><!-- c --><a>&lt;&#65;</a>":  "<a<A>",
		`<?xml version="1.0" encoding="ISO-8859-1"?><a>` + "\xe7</a>":             "<aç>",
	} {
		if got, err := walk(xml); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", xml, got, err, want)
		}
	}
}

func TestDamagedXML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ xml, code string }{
		"deep":           {strings.Repeat("<a>", maxDepth+1), block.CodeBomb},
		"cut off":        {"<a><b>text", block.CodeCorrupt},
		"crossed":        {"<a><b></a></b>", block.CodeCorrupt},
		"end first":      {"</a>", block.CodeCorrupt},
		"not XML":        {"<a <b>", block.CodeCorrupt},
		"a giant text":   {"<a>" + strings.Repeat("x", maxMarkup+1), block.CodeBomb},
		"no such coding": {`<?xml version="1.0" encoding="no-such"?><a/>`, block.CodeCorrupt},
	} {
		if _, err := walk(c.xml); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := errors.New("disk gone")
	x := NewReader(context.Background(), io.MultiReader(strings.NewReader("<a>"), failing{gone}))
	var err error
	for err == nil {
		_, err = x.Next()
	}
	if !errors.Is(err, gone) {
		t.Errorf("error of the file: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestContentIsBounded(t *testing.T) {
	t.Parallel()
	x := NewReader(context.Background(), strings.NewReader("<a>12<b>34</b>56</a>"))
	if _, err := x.Next(); err != nil {
		t.Fatal(err)
	}
	if got, err := x.Content(5); got != "12345" || err != nil || x.Depth() != 0 {
		t.Errorf("%q, %v, depth %d", got, err, x.Depth())
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{
		"[Content_Types].xml":          `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="XML" ContentType="application/xml"/><Override PartName="/word/Document.xml" ContentType="main"/></Types>`,
		"word/document.xml":            "<a/>",
		"word/_rels/document.xml.rels": `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="1" Type="http://x/styles" Target="../Sty%6Ces.xml#x"/><Relationship Id="2" Type="http://x/hyperlink" Target="http://x/" TargetMode="External"/><Relationship Id="3" Type="x" Target="../../../../etc/passwd"/></Relationships>`,
	} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(bytes.NewReader(b.Bytes()), int64(b.Len()), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	p, err := Open(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if p.ContentType("/word/document.xml") != "main" || p.ContentType("other.xml") != "application/xml" || p.ContentType("x.bin") != "" || !p.HasType("main") || p.HasType("none") {
		t.Error("content types")
	}
	rels, err := p.Relationships(ctx, "word/document.xml")
	if err != nil || len(rels) != 3 || rels[0] != (Relationship{ID: "1", Type: "styles", Target: "styles.xml"}) || !rels[1].External || rels[2].Target != "etc/passwd" {
		t.Errorf("%+v, %v", rels, err)
	}
	if rels, err := p.Relationships(ctx, "none.xml"); err != nil || rels != nil {
		t.Errorf("a part without relationships: %v, %v", rels, err)
	}
}

func TestTime(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"2026-03-04T05:06:07Z": "2026-03-04 05:06:07", "2026-03-04T05:06:07.5-03:00": "2026-03-04 08:06:07", "2026-03-04T05:06:07": "2026-03-04 05:06:07",
		"2026-03-04T05:06+0200": "", "2026-03-04T05:06:07+0200": "2026-03-04 03:06:07", "2026-03-04": "2026-03-04 00:00:00", "2026-03": "2026-03-01 00:00:00",
		"2026": "2026-01-01 00:00:00", "0001-01-01T00:00:00Z": "", "yesterday": "", "": "",
	} {
		got := ""
		if v := Time(s); v != nil {
			got = v.Format("2006-01-02 15:04:05")
		}
		if got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(`<w:p xmlns:w="` + wNS + `"><w:r w:val="x">t&amp;</w:r></w:p>`)
	f.Add("\xff\xfe<\x00a\x00>\x00")
	f.Fuzz(func(t *testing.T, xml string) {
		if _, err := walk(xml); err != nil && blocktest.Code(err) == "" {
			t.Fatalf("%T %v", err, err)
		}
	})
}
