package localextract

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/docsvc/docsvc/pkg/extract"
)

// Form is how a text is given.
type Form string

// The forms.
const (
	Text     Form = "text"     // without marks, see extract.PlainText
	Markdown Form = "markdown" // what GET /documents/{id}/text answers, byte for byte
	JSON     Form = "json"     // a Record on one line
)

// Forms lists them.
func Forms() []string { return []string{string(Text), string(Markdown), string(JSON)} }

// extension is what a file with the text is called after the name of the
// original: manual.pdf.txt.
func (f Form) extension() string {
	switch f {
	case Markdown:
		return ".md"
	case JSON:
		return ".json"
	default:
		return ".txt"
	}
}

// Record is a file as JSON. Names are those of the API's document, where it
// has such a field.
type Record struct {
	File string `json:"file"` // as named, or as found below what was named

	Format     string          `json:"format,omitempty"`
	MIME       string          `json:"mime,omitempty"`
	Metadata   *Metadata       `json:"metadata,omitempty"`
	Pages      int             `json:"pages,omitempty"` // 0 for formats without pages
	Words      int             `json:"words,omitempty"`
	Partial    bool            `json:"partial,omitempty"` // text is known to be missing
	PageErrors []PageError     `json:"page_errors,omitempty"`
	Warnings   []string        `json:"warnings,omitempty"`
	Extractor  string          `json:"extractor_version,omitempty"`
	Text       string          `json:"text,omitempty"` // as in the form text
	Blocks     []extract.Block `json:"blocks,omitempty"`
	Asides     []extract.Block `json:"asides,omitempty"`
	ErrorCode  string          `json:"error_code,omitempty"` // of a file without text
	Error      string          `json:"error,omitempty"`
}

// Metadata is what the file says of itself.
type Metadata struct {
	Title    string     `json:"title,omitempty"`
	Author   string     `json:"author,omitempty"`
	Language string     `json:"language,omitempty"` // BCP 47
	Created  *time.Time `json:"created,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
	// PageLabels are what the pages are called, from the first on, where that is not their number.
	PageLabels []string `json:"page_labels,omitempty"`
}

// PageError is a page, counted from 1, whose text is missing, and why.
type PageError struct {
	Page  int    `json:"page"`
	Error string `json:"error"`
}

func (f Form) body(path string, d *extract.Document, r extract.Rendered) ([]byte, error) {
	switch f {
	case Markdown:
		return []byte(r.Text), nil
	case JSON:
		return line(recordOf(path, d))
	default:
		return append([]byte(extract.PlainText(d)), '\n'), nil
	}
}

// FailureLine is the line of a file without text in the form JSON.
func FailureLine(o *Outcome) ([]byte, error) {
	return line(Record{File: o.Entry.Path, ErrorCode: o.Code, Error: o.Reason})
}

func line(r Record) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(r)
	return b.Bytes(), err
}

func recordOf(path string, d *extract.Document) Record {
	r := Record{
		File: path, Format: d.Format, MIME: d.MIME,
		Metadata: &Metadata{Title: d.Meta.Title, Author: d.Meta.Author, Language: d.Meta.Language, Created: d.Meta.Created, Modified: d.Meta.Modified, PageLabels: d.Meta.PageLabels},
		Pages:    d.Meta.Pages, Words: d.Meta.Words, Partial: d.Partial, Warnings: d.Warnings, Extractor: d.Version,
		Text: extract.PlainText(d), Blocks: d.Blocks, Asides: d.Asides,
	}
	for _, p := range d.PageErrors {
		r.PageErrors = append(r.PageErrors, PageError{Page: p.Page, Error: p.Message})
	}
	return r
}
