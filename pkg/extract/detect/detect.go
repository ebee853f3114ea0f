// Package detect finds out what a file is from its content. What the client
// declared only breaks ties between text formats that look alike.
package detect

import (
	"bytes"
	"fmt"
	"io"
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
func Detect(r io.ReaderAt, size int64, name, declared string) (Result, error) {
	if size == 0 {
		return Result{}, block.Errorf(block.CodeEmpty, "This file is empty. Check it and upload it again.")
	}
	head := make([]byte, min(size, headSize))
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Result{}, fmt.Errorf("reading the start of the file: %w", err)
	}
	h := hints{name: name, declared: declared}
	format, err := find(r, size, head[:n], h)
	if err != nil {
		return Result{}, err
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
		return Format{}, ole(r, size, h)
	case isPDF(head, h):
		return formatNamed(PDF), nil
	}
	text, ok := decode(head, size)
	if ok && !textLookalike(head) {
		return textFormat(text, h), nil
	}
	return Format{}, h.refuse(other(head))
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

// textLookalike reports formats that are made of text but not meant to be
// read as one.
func textLookalike(head []byte) bool {
	return bytes.HasPrefix(head, []byte(`{\rtf`)) || bytes.HasPrefix(head, []byte("%!PS"))
}

// other names a file that can't be read, as far as its content says what it is.
func other(head []byte) kind {
	switch {
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return kind{"a Rich Text document (RTF)", "Save it as DOCX or PDF."}
	case bytes.HasPrefix(head, []byte("%!PS")):
		return kind{"a PostScript file", "Save it as PDF."}
	}
	m := mimetype.Detect(head)
	top, _, _ := strings.Cut(m.String(), "/")
	switch {
	case m.Is("application/octet-stream"):
		return kind{}
	case top == "image":
		return kind{"an image (" + m.String() + ")", "Text recognition (OCR) is not available."}
	case top == "audio", top == "video":
		return kind{"a recording (" + m.String() + ")", ""}
	}
	for p := m; p != nil; p = p.Parent() {
		if p.Is("text/plain") { // made of text it isn't, or we would not be here
			return kind{}
		}
	}
	return kind{"a file of the type " + m.String(), ""}
}

// kind is what a file that can't be read is, and what to do about it.
type kind struct{ name, advice string }

// refuse says why a file of that kind isn't read.
func (h hints) refuse(k kind) *block.Error {
	declared, known := h.format()
	switch {
	case k.name == "" && known:
		return block.Errorf(block.CodeCorrupt, "This file was declared as %s, but it is none, or damaged from the first byte on. Check it and upload it again.", declared.Title)
	case k.name == "":
		return block.Errorf(block.CodeUnsupported, "This file is of a type that is not known. docsvc reads %s.", titles())
	}
	s := "This file is " + k.name + "."
	if known {
		s = fmt.Sprintf("This file was declared as %s, but it is %s.", declared.Title, k.name)
	}
	s += " docsvc reads " + titles() + "."
	if k.advice != "" {
		s += " " + k.advice
	}
	return block.Errorf(block.CodeUnsupported, "%s", s)
}
