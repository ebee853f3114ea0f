package extract

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/csv"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/extract/doc"
	"github.com/docsvc/docsvc/pkg/extract/docx"
	"github.com/docsvc/docsvc/pkg/extract/eml"
	"github.com/docsvc/docsvc/pkg/extract/epub"
	"github.com/docsvc/docsvc/pkg/extract/html"
	"github.com/docsvc/docsvc/pkg/extract/markdown"
	"github.com/docsvc/docsvc/pkg/extract/msg"
	"github.com/docsvc/docsvc/pkg/extract/odp"
	"github.com/docsvc/docsvc/pkg/extract/ods"
	"github.com/docsvc/docsvc/pkg/extract/odt"
	"github.com/docsvc/docsvc/pkg/extract/pdf"
	"github.com/docsvc/docsvc/pkg/extract/picture"
	"github.com/docsvc/docsvc/pkg/extract/plain"
	"github.com/docsvc/docsvc/pkg/extract/ppt"
	"github.com/docsvc/docsvc/pkg/extract/pptx"
	"github.com/docsvc/docsvc/pkg/extract/rtf"
	"github.com/docsvc/docsvc/pkg/extract/xls"
	"github.com/docsvc/docsvc/pkg/extract/xlsx"
)

// format is one line of the registry: the name that package detect gives a
// file, and what reads it. What a format is called outside, its MIME types and
// file name extensions, is detect's business.
type format struct {
	name    string
	version string // changes when the output for some file changes
	parse   block.Parser
	// warm makes the parser ready for its first document; nil when there is nothing to do.
	warm func(context.Context, block.Options) error
	// paint draws pages, to be recognised or shown; nil when a document of the format has no look of its own.
	paint block.Painter
}

// registry lists the formats that can be read, one line each. Parsers made
// here keep what they need from one document to the next.
func registry() []format {
	pdfs := pdf.NewReader()
	return []format{
		{detect.PDF, pdf.Version, pdfs.Parse, pdfs.Warm, pdfs.Paint},
		{detect.DOCX, docx.Version, docx.Parse, nil, nil},
		{detect.HTML, html.Version, html.Parse, nil, nil},
		{detect.Markdown, markdown.Version, markdown.Parse, nil, nil},
		{detect.Text, plain.Version, plain.Parse, nil, nil},
		{detect.EML, eml.Version, eml.Parse, nil, nil},
		{detect.MSG, msg.Version, msg.Parse, nil, nil},
		{detect.EPUB, epub.Version, epub.Parse, nil, nil},
		{detect.RTF, rtf.Version, rtf.Parse, nil, nil},
		{detect.DOC, doc.Version, doc.Parse, nil, nil},
		{detect.PPTX, pptx.Version, pptx.Parse, nil, nil},
		{detect.XLSX, xlsx.Version, xlsx.Parse, nil, nil},
		{detect.CSV, csv.Version, csv.Parse, nil, nil},
		{detect.ODT, odt.Version, odt.Parse, nil, nil},
		{detect.Image, picture.Version, picture.Parse, nil, picture.Paint},
		{detect.ODS, ods.Version, ods.Parse, nil, nil},
		{detect.ODP, odp.Version, odp.Parse, nil, nil},
		{detect.XLS, xls.Version, xls.Parse, nil, nil},
		{detect.PPT, ppt.Version, ppt.Parse, nil, nil},
	}
}

// detector tells the formats of the registry apart.
func detector() *detect.Detector {
	var names []string
	for _, f := range registry() {
		names = append(names, f.name)
	}
	return detect.New(names...)
}

// Formats lists the formats that can be read, in a fixed order.
func Formats() []detect.Format { return detector().Formats() }

// Detect tells what a file of size bytes is. The error is an *Error when it
// can't be read, whatever it is called.
func Detect(r io.ReaderAt, size int64, name, declared string) (detect.Result, error) {
	return detector().Detect(r, size, name, declared)
}

// Acceptance is what an installation takes in: every format of the registry,
// images only where their text is to be recognised. It doesn't look for
// tesseract: whoever accepts documents may be another machine than who reads them.
type Acceptance struct{ *detect.Detector }

// Accepting makes an Acceptance.
func Accepting(images bool) Acceptance {
	var names []string
	for _, f := range registry() {
		if images || f.name != detect.Image {
			names = append(names, f.name)
		}
	}
	return Acceptance{detect.New(names...)}
}

// Types lists the MIME types of the formats, several for images.
func (a Acceptance) Types() []string {
	var types []string
	for _, f := range a.Formats() {
		types = append(types, f.MIME)
		if f.Name == detect.Image {
			types = append(types, f.Aliases...)
		}
	}
	return types
}

// Version names the extractor as a whole: while it is the same, the same file
// gives the same document.
func Version() string {
	var parts []string
	for _, f := range registry() {
		parts = append(parts, fmt.Sprintf("%s/%s", f.name, f.version))
	}
	return strings.Join(parts, " ")
}
