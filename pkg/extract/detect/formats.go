package detect

import (
	"fmt"
	"mime"
	"path"
	"slices"
	"strings"
)

// Names of the formats that are told apart. Which of them can be read is the
// registry's to say (New).
const (
	PDF      = "pdf"
	DOCX     = "docx"
	HTML     = "html"
	Markdown = "markdown"
	Text     = "text"
	PPTX     = "pptx"
	XLSX     = "xlsx"
	CSV      = "csv"
	EML      = "eml"
	EPUB     = "epub"
	ODT      = "odt"
	RTF      = "rtf"
	DOC      = "doc"
	Image    = "image"
	XLS      = "xls"
	PPT      = "ppt"
	ODS      = "ods"
	ODP      = "odp"
	MSG      = "msg"
)

// Format is one that a file can have, with what it goes by.
type Format struct {
	Name       string   // one of the constants above
	Title      string   // for people
	MIME       string   // the type documents of it are recorded with
	Aliases    []string // other content types that clients send for it
	Extensions []string // of file names, with the dot, lower case
	Called     string   // what a file of it is, for people: "a PowerPoint presentation"
	Advice     string   // what to do with one that can't be read, a sentence
}

const (
	office = "application/vnd.openxmlformats-officedocument."
	odf    = "application/vnd.oasis.opendocument."
)

// known lists every format that is told apart, in the order in which they are
// listed to people.
func known() []Format {
	return []Format{
		{PDF, "PDF", "application/pdf",
			[]string{"application/x-pdf", "application/acrobat", "text/pdf"}, []string{".pdf"}, "a PDF", "Save it as DOCX."},
		{DOCX, "DOCX", office + "wordprocessingml.document",
			[]string{
				office + "wordprocessingml.template",
				"application/vnd.ms-word.document.macroenabled.12", "application/vnd.ms-word.template.macroenabled.12",
			}, []string{".docx", ".docm", ".dotx", ".dotm"}, "a Word document (DOCX)", "Save it as PDF."},
		{HTML, "HTML", "text/html", []string{"application/xhtml+xml"}, []string{".html", ".htm", ".xhtml"}, "a web page", "Save it as text."},
		{Markdown, "Markdown", "text/markdown", []string{"text/x-markdown"}, []string{".md", ".markdown", ".mdown", ".mkd"}, "a Markdown text", ""},
		{Text, "plain text", "text/plain", nil, []string{".txt", ".text", ".log"}, "a text", ""},
		{PPTX, "PPTX", office + "presentationml.presentation",
			[]string{
				office + "presentationml.slideshow", office + "presentationml.template",
				"application/vnd.ms-powerpoint.presentation.macroenabled.12", "application/vnd.ms-powerpoint.slideshow.macroenabled.12",
				"application/vnd.ms-powerpoint.template.macroenabled.12",
			}, []string{".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"}, "a PowerPoint presentation", "Save it as PDF."},
		{XLSX, "XLSX", office + "spreadsheetml.sheet",
			[]string{
				office + "spreadsheetml.template",
				"application/vnd.ms-excel.sheet.macroenabled.12", "application/vnd.ms-excel.template.macroenabled.12",
			}, []string{".xlsx", ".xlsm", ".xltx", ".xltm"}, "an Excel workbook", "Save it as PDF."},
		{CSV, "CSV", "text/csv", []string{"application/csv", "text/tab-separated-values", "text/x-csv"}, []string{".csv", ".tsv"}, "a table (CSV)", ""},
		{EML, "EML", "message/rfc822", nil, []string{".eml"}, "a mail (EML)", "Save it as HTML or text."},
		{EPUB, "EPUB", "application/epub+zip", nil, []string{".epub"}, "an e-book (EPUB)", "Convert it to PDF or HTML."},
		{ODT, "ODT", odf + "text", []string{odf + "text-template"}, []string{".odt", ".ott"}, "an OpenDocument text (ODT)", "Save it as DOCX or PDF."},
		{RTF, "RTF", "application/rtf", []string{"text/rtf", "application/x-rtf", "text/richtext"}, []string{".rtf"}, "a Rich Text document (RTF)", "Save it as DOCX or PDF."},
		{DOC, "DOC", "application/msword", nil, []string{".doc", ".dot"}, "a Word 97-2003 document (DOC)", "Save it as DOCX or PDF."},
		{Image, "images", "image/png",
			[]string{"image/jpeg", "image/jpg", "image/tiff", "image/bmp", "image/gif", "image/webp"},
			[]string{".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"}, "an image", "Send it as a PDF with text."},
		{XLS, "XLS", "application/vnd.ms-excel", nil, []string{".xls", ".xlt"}, "an Excel 97-2003 workbook (XLS)", "Save it as PDF."},
		{PPT, "PPT", "application/vnd.ms-powerpoint", nil, []string{".ppt", ".pps", ".pot"}, "a PowerPoint 97-2003 presentation (PPT)", "Save it as PDF."},
		{ODS, "ODS", odf + "spreadsheet", []string{odf + "spreadsheet-template"}, []string{".ods", ".ots"}, "an OpenDocument file (spreadsheet)", "Save it as PDF."},
		{ODP, "ODP", odf + "presentation", []string{odf + "presentation-template"}, []string{".odp", ".otp"}, "an OpenDocument file (presentation)", "Save it as PDF."},
		{MSG, "MSG", "application/vnd.ms-outlook", nil, []string{".msg"}, "an Outlook message (MSG)", "Save it as HTML or text."},
	}
}

// formatNamed is one of the known formats.
func formatNamed(name string) Format {
	for _, f := range known() {
		if f.Name == name {
			return f
		}
	}
	return Format{}
}

// Detector tells what files are, and refuses those that can't be read.
type Detector struct {
	readable []Format
}

// New makes a Detector of the names of the formats that can be read.
func New(readable ...string) *Detector {
	d := &Detector{}
	for _, f := range known() {
		if slices.Contains(readable, f.Name) {
			d.readable = append(d.readable, f)
		}
	}
	return d
}

// Formats lists what can be read, in a fixed order.
func (d *Detector) Formats() []Format { return slices.Clone(d.readable) }

func (d *Detector) reads(name string) bool {
	return slices.ContainsFunc(d.readable, func(f Format) bool { return f.Name == name })
}

// titles lists what can be read, for messages.
func (d *Detector) titles() string {
	var t []string
	for _, f := range d.readable {
		t = append(t, f.Title)
	}
	if len(t) < 2 {
		return strings.Join(t, "")
	}
	return strings.Join(t[:len(t)-1], ", ") + " and " + t[len(t)-1]
}

// Declared reports whether a document announced with this content type may be
// sent: a type of a readable format, or one that says nothing (none,
// application/octet-stream), for which the content decides. The file name
// doesn't count: it is often wrong, and the content decides anyway.
func (d *Detector) Declared(contentType, filename string) bool {
	t := mediaType(contentType)
	if saysNothing(t) {
		return true
	}
	f, ok := formatOf(t)
	return ok && d.reads(f.Name)
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
	for _, f := range known() {
		if f.MIME == mediaType || slices.Contains(f.Aliases, mediaType) {
			return f, true
		}
	}
	return Format{}, false
}

// hints are what the client said of a file.
type hints struct {
	*Detector
	name, declared string
}

// format that was declared: by the content type, else by the file name.
func (h hints) format() (Format, bool) {
	if f, ok := formatOf(mediaType(h.declared)); ok {
		return f, true
	}
	if !saysNothing(mediaType(h.declared)) {
		return Format{}, false
	}
	ext := strings.ToLower(path.Ext(h.name))
	for _, f := range known() {
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

// mismatch is a warning when the file is another format than was declared. A
// table or a mail that is read as the text it is made of is none.
func (h hints) mismatch(found Format) string {
	declared, ok := h.format()
	if !ok || declared.Name == found.Name || !h.reads(declared.Name) && found.Name == Text {
		return ""
	}
	return fmt.Sprintf("the file was declared as %s, but it is %s; it was read as %s", declared.Title, found.Title, found.Title)
}
