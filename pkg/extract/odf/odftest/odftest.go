// Package odftest makes OpenDocument files for tests.
package odftest

import (
	"archive/zip"
	"bytes"
	"maps"
	"slices"
	"testing"
)

// NS declares the namespaces of OpenDocument under their usual prefixes.
const NS = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" ` +
	`xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" ` +
	`xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0" ` +
	`xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/" ` +
	`xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" ` +
	`xmlns:chart="urn:oasis:names:tc:opendocument:xmlns:chart:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"`

// File is an OpenDocument file.
type File struct {
	Kind       string // of its MIME type and its body's element: text, spreadsheet, presentation
	AutoStyles string // XML below the automatic styles
	Styles     string // XML below the styles
	Masters    string // XML below the master styles
	Body       string // XML of the body
	Parts      map[string]string
}

// Pack writes the file.
func (f File) Pack(t testing.TB) []byte {
	t.Helper()
	all := map[string]string{
		"mimetype": "application/vnd.oasis.opendocument." + f.Kind,
		"content.xml": `<office:document-content ` + NS + `><office:automatic-styles>` + f.AutoStyles + `</office:automatic-styles><office:body><office:` + f.Kind + `>` +
			f.Body + `</office:` + f.Kind + `></office:body></office:document-content>`,
		"styles.xml": `<office:document-styles ` + NS + `><office:styles>` + f.Styles + `</office:styles><office:master-styles>` + f.Masters + `</office:master-styles></office:document-styles>`,
	}
	maps.Copy(all, f.Parts)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range slices.Sorted(maps.Keys(all)) {
		w, err := z.Create(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(all[n])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
