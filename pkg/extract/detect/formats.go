package detect

import (
	"fmt"
	"mime"
	"path"
	"slices"
	"strings"
)

// Names of the formats that can be read.
const (
	PDF      = "pdf"
	DOCX     = "docx"
	HTML     = "html"
	Markdown = "markdown"
	Text     = "text"
)

// Format is one that docsvc reads, with what it goes by.
type Format struct {
	Name       string   // one of the constants above
	Title      string   // for people
	MIME       string   // the type documents of it are recorded with
	Aliases    []string // other content types that clients send for it
	Extensions []string // of file names, with the dot, lower case
}

// Formats lists what can be read, in a fixed order.
func Formats() []Format {
	return []Format{
		{PDF, "PDF", "application/pdf",
			[]string{"application/x-pdf", "application/acrobat", "text/pdf"}, []string{".pdf"}},
		{DOCX, "DOCX", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
			[]string{
				"application/vnd.openxmlformats-officedocument.wordprocessingml.template",
				"application/vnd.ms-word.document.macroenabled.12", "application/vnd.ms-word.template.macroenabled.12",
			}, []string{".docx", ".docm", ".dotx", ".dotm"}},
		{HTML, "HTML", "text/html", []string{"application/xhtml+xml"}, []string{".html", ".htm", ".xhtml"}},
		{Markdown, "Markdown", "text/markdown", []string{"text/x-markdown"}, []string{".md", ".markdown", ".mdown", ".mkd"}},
		{Text, "plain text", "text/plain", nil, []string{".txt", ".text", ".log"}},
	}
}

func formatNamed(name string) Format {
	for _, f := range Formats() {
		if f.Name == name {
			return f
		}
	}
	return Format{}
}

// titles lists what can be read, for messages.
func titles() string {
	var t []string
	for _, f := range Formats() {
		t = append(t, f.Title)
	}
	return strings.Join(t[:len(t)-1], ", ") + " and " + t[len(t)-1]
}

// Declared reports whether a document announced with this content type may be
// sent: a type of a supported format, or one that says nothing (none,
// application/octet-stream), for which the content decides. The file name
// doesn't count: it is often wrong, and the content decides anyway.
func Declared(contentType, filename string) bool {
	t := mediaType(contentType)
	if saysNothing(t) {
		return true
	}
	_, ok := formatOf(t)
	return ok
}

func saysNothing(mediaType string) bool {
	return mediaType == "" || mediaType == "application/octet-stream" || mediaType == "binary/octet-stream"
}

// mediaType is a content type without parameters, in lower case.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

func formatOf(mediaType string) (Format, bool) {
	for _, f := range Formats() {
		if f.MIME == mediaType || slices.Contains(f.Aliases, mediaType) {
			return f, true
		}
	}
	return Format{}, false
}

// hints are what the client said of a file.
type hints struct{ name, declared string }

// format that was declared: by the content type, else by the file name.
func (h hints) format() (Format, bool) {
	if f, ok := formatOf(mediaType(h.declared)); ok {
		return f, true
	}
	if !saysNothing(mediaType(h.declared)) {
		return Format{}, false
	}
	ext := strings.ToLower(path.Ext(h.name))
	for _, f := range Formats() {
		if slices.Contains(f.Extensions, ext) {
			return f, true
		}
	}
	return Format{}, false
}

func (h hints) charset() string {
	_, params, err := mime.ParseMediaType(h.declared)
	if err != nil {
		return ""
	}
	return params["charset"]
}

// mismatch is a warning when the file is another format than was declared.
func (h hints) mismatch(found Format) string {
	declared, ok := h.format()
	if !ok || declared.Name == found.Name {
		return ""
	}
	return fmt.Sprintf("the file was declared as %s, but it is %s; it was read as %s", declared.Title, found.Title, found.Title)
}
