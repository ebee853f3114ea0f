package pdf

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// document is one open PDF in an instance of PDFium of its own.
type document struct {
	engine   *engine
	file     *os.File
	size     int64
	password string
	ratio    int // how many times its size it may expand to

	most   uint64 // memory that it gets, in bytes
	memory *linearMemory
	pdfium pdfium.Pdfium
	ref    references.FPDF_DOCUMENT
	pages  int
	form   *references.FPDF_FORMHANDLE // nil when the document has no form
}

// open reads the document's structure. Its error is coded unless the instance
// could not be made.
func (d *document) open(ctx context.Context) error {
	instance, memory, err := d.engine.instance(ctx, d.most)
	if err != nil {
		return err
	}
	d.pdfium, d.memory = instance, memory
	request := &requests.OpenDocument{FileReader: io.NewSectionReader(d.file, 0, d.size), FileReaderSize: d.size}
	if d.password != "" {
		request.Password = &d.password
	}
	opened, err := instance.OpenDocument(request)
	if err != nil {
		return d.refusal(err)
	}
	d.ref = opened.Document
	count, err := instance.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: d.ref})
	if err != nil || count.PageCount <= 0 {
		return corrupt("It has no pages.")
	}
	d.pages = count.PageCount
	d.openForm()
	return nil
}

// refusal says why PDFium doesn't open the file.
func (d *document) refusal(err error) error {
	switch {
	case errors.Is(err, pdfiumerrors.ErrPassword) && d.password != "":
		return block.Errorf(block.CodeEncrypted, "This PDF is encrypted, and the password given does not open it. Process it again with the right one.")
	case errors.Is(err, pdfiumerrors.ErrPassword):
		return block.Errorf(block.CodeEncrypted, "This PDF is encrypted. Process it again with its password, or save it without one.")
	case errors.Is(err, pdfiumerrors.ErrSecurity):
		return block.Errorf(block.CodeEncrypted, "This PDF is encrypted in a way that can't be read. Save it without protection.")
	default:
		return corrupt("Its structure can't be read.")
	}
}

func corrupt(what string) error {
	return block.Errorf(block.CodeCorrupt, "This file is not a valid PDF, or is damaged. %s Open it in the program it was made with and save it again.", what)
}

func (d *document) close() {
	if d.pdfium == nil {
		return
	}
	// The memory of the instance goes as a whole, whatever is open in it.
	_ = d.pdfium.Close()
	d.pdfium = nil
}

// openWithin opens the document with the memory that one of its size should
// need, and with more when it asks for that and is no bomb.
func (d *document) openWithin(ctx context.Context) error {
	d.most = min(firstMemory+memoryPerByte*uint64(d.size), d.engine.most)
	err := d.open(ctx)
	if d.memory == nil || !d.memory.refused {
		return err
	}
	wider, err := d.widen(ctx)
	switch {
	case err != nil:
		return err
	case !wider || d.memory.refused:
		return d.needsMemory()
	}
	return nil
}

// reopen starts anew after a trap.
func (d *document) reopen(ctx context.Context) error {
	_ = d.pdfium.Kill()
	d.pdfium, d.form = nil, nil
	return d.open(ctx)
}

func (d *document) metadata() block.Metadata {
	m := block.Metadata{Pages: d.pages}
	m.Title, m.Author = d.entry("Title"), d.entry("Author")
	m.Created, m.Modified = date(d.entry("CreationDate")), date(d.entry("ModDate"))
	if language, err := d.pdfium.FPDFCatalog_GetLanguage(&requests.FPDFCatalog_GetLanguage{Document: d.ref}); err == nil {
		m.Language = strings.TrimSpace(block.Clean(language.Language))
	}
	m.PageLabels = d.labels()
	return m
}

// Bounds on what pages are called: no more pages, and no longer labels, than books have.
const (
	maxLabeled = 20000
	maxLabel   = 40 // bytes
)

// labels are what the pages are called, nil when that is their numbers.
func (d *document) labels() []string {
	if d.pages > maxLabeled {
		return nil
	}
	all := make([]string, 0, min(d.pages, 1024))
	differs := false
	for n := range d.pages {
		label, err := d.pdfium.FPDF_GetPageLabel(&requests.FPDF_GetPageLabel{Document: d.ref, Page: n})
		text := ""
		if err == nil {
			text = strings.Join(strings.Fields(block.Clean(label.Label)), " ")
		}
		if n == 0 && text == "" { // a document with labels has one for the first page
			return nil
		}
		if text == "" || len(text) > maxLabel {
			text = strconv.Itoa(n + 1)
		}
		differs = differs || text != strconv.Itoa(n+1)
		all = append(all, text)
	}
	if !differs {
		return nil
	}
	return all
}

// maxEntry bounds a text of the information dictionary, in bytes.
const maxEntry = 1000

// entry is a text of the document's information dictionary.
func (d *document) entry(tag string) string {
	text, err := d.pdfium.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: d.ref, Tag: tag})
	if err != nil {
		return ""
	}
	value := strings.Join(strings.Fields(block.Clean(text.Value)), " ")
	if len(value) > maxEntry {
		value = strings.ToValidUTF8(value[:maxEntry], "")
	}
	return value
}

// date reads a PDF date, D:20060102150405+01'00', of which everything after
// the year may be missing. It gives nil for what is none.
func date(s string) *time.Time {
	s = strings.TrimPrefix(s, "D:")
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	const layout = "20060102150405"
	if digits < 4 || digits > len(layout) {
		return nil
	}
	zone := strings.NewReplacer("'", "", ":", "").Replace(s[digits:])
	switch {
	case zone == "" || strings.HasPrefix(zone, "Z"):
		zone = "+0000"
	case len(zone) == 3: // +01
		zone += "00"
	}
	for _, z := range []string{zone, "+0000"} {
		if t, err := time.Parse(layout[:digits]+"-0700", s[:digits]+z); err == nil && t.Year() > 0 {
			return &t
		}
	}
	return nil
}
