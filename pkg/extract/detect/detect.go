// Package detect finds out what a file is from its content. What the client
// declared only breaks ties between text formats that look alike.
package detect

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Result is what a file turned out to be.
type Result struct {
	Format   string   // one of the format names
	MIME     string   // without parameters
	Charset  string   // charset parameter of the declared type, a hint only
	Warnings []string // a mismatch between what was declared and what it is
}

const (
	// headSize is how much of a file is looked at, in bytes.
	headSize = 64 << 10
	// PDF readers look for the header in the first kilobyte; some mail gateways put lines before it.
	pdfWindow = 1024
)

// Detect looks at the content of a file of size bytes. The error is a
// *block.Error (encrypted, unsupported, empty, corrupt) unless reading failed.
func (d *Detector) Detect(r io.ReaderAt, size int64, name, declared string) (Result, error) {
	if size == 0 {
		return Result{}, block.Errorf(block.CodeEmpty, "This file is empty. Check it and upload it again.")
	}
	head := make([]byte, min(size, headSize))
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Result{}, fmt.Errorf("reading the start of the file: %w", err)
	}
	h := hints{Detector: d, name: name, declared: declared}
	format, err := find(r, size, head[:n], h)
	if err != nil {
		return Result{}, err
	}
	if !d.reads(format.Name) {
		return Result{}, h.refuse(kind{name: format.Called, advice: format.Advice, format: format.Name})
	}
	res := Result{Format: format.Name, MIME: format.MIME, Charset: h.charset()}
	if warning := h.mismatch(format); warning != "" {
		res.Warnings = append(res.Warnings, warning)
	}
	return res, nil
}

func find(r io.ReaderAt, size int64, head []byte, h hints) (Format, error) {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")), bytes.HasPrefix(head, []byte("PK\x07\x08")):
		return zipped(r, size, h)
	case bytes.HasPrefix(head, []byte(oleMagic)):
		return ole(r, size, h)
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return formatNamed(RTF), nil
	case isPDF(head, h):
		return formatNamed(PDF), nil
	}
	text, ok := decode(head, size)
	if ok && !bytes.HasPrefix(head, []byte("%!PS")) {
		return textFormat(text, h), nil
	}
	return other(head, h)
}

func isPDF(head []byte, h hints) bool {
	i := bytes.Index(head[:min(len(head), pdfWindow)], []byte("%PDF-"))
	if i <= 0 {
		return i == 0
	}
	if f, ok := h.format(); ok && f.Name == PDF {
		return true
	}
	return isBinary(head) // a text may speak of "%PDF-"
}

// other names a file that is no text and no container, as far as its content
// says what it is.
func other(head []byte, h hints) (Format, error) {
	if bytes.HasPrefix(head, []byte("%!PS")) {
		return Format{}, h.refuse(kind{name: "a PostScript file", advice: "Save it as PDF."})
	}
	if bytes.HasPrefix(head, []byte("\xdb\xa5")) { // Word 2, which has no container
		return formatNamed(DOC), nil
	}
	if bytes.HasPrefix(head, []byte("\x9b\xa5")) || bytes.HasPrefix(head, []byte("\x31\xbe\x00")) {
		return Format{}, h.refuse(kind{name: "a document of Word 1 or older", advice: "Open it in LibreOffice and save it as DOCX.", format: DOC})
	}
	m := mimetype.Detect(head)
	top, _, _ := strings.Cut(m.String(), "/")
	switch {
	case m.Is("application/octet-stream"):
		return Format{}, h.refuse(kind{})
	case top == "image":
		f := formatNamed(Image)
		if m.Is(f.MIME) || slices.ContainsFunc(f.Aliases, m.Is) {
			f.MIME, f.Called = m.String(), f.Called+" ("+m.String()+")"
			return f, nil
		}
		return Format{}, h.refuse(kind{name: "an image (" + m.String() + ")", advice: "Save it as PNG.", format: Image})
	case top == "audio", top == "video":
		return Format{}, h.refuse(kind{name: "a recording (" + m.String() + ")"})
	}
	for p := m; p != nil; p = p.Parent() {
		if p.Is("text/plain") { // made of text it isn't, or we would not be here
			return Format{}, h.refuse(kind{})
		}
	}
	return Format{}, h.refuse(kind{name: "a file of the type " + m.String()})
}

// kind is what a file that can't be read is, and what to do about it.
type kind struct {
	name, advice string
	format       string // it is known by, if any: no mismatch when just that was declared
}

// refuse says why a file of that kind isn't read.
func (h hints) refuse(k kind) *block.Error {
	declared, known := h.format()
	switch {
	case k.name == "" && known:
		return block.Errorf(block.CodeCorrupt, "This file was declared as %s, but it is none, or damaged from the first byte on. Check it and upload it again.", declared.Title)
	case k.name == "":
		return block.Errorf(block.CodeUnsupported, "This file is of a type that is not known. docsvc reads %s.", h.titles())
	}
	s := "This file is " + k.name + "."
	if known && declared.Name != k.format {
		s = fmt.Sprintf("This file was declared as %s, but it is %s.", declared.Title, k.name)
	}
	s += " docsvc reads " + h.titles() + "."
	if k.advice != "" {
		s += " " + k.advice
	}
	return block.Errorf(block.CodeUnsupported, "%s", s)
}
