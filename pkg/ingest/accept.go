package ingest

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/filewalk"
)

// MaxSize is the largest file that a server takes, in bytes: what S3 takes in
// one PUT.
const MaxSize = 5 << 30

const anyType = "application/octet-stream"

// refuse says why a candidate can't become a document, as far as it can be
// told without reading it: the reason, and the group it is counted in.
func (c *Candidate) refuse() (reason, kind string) {
	ext := strings.ToLower(path.Ext(c.base()))
	_, known := typeOf(c.base())
	switch {
	case c.Skip != "":
		return c.Skip, c.Skip
	case c.Size == 0:
		return "the file is empty", "empty files"
	case c.Size > MaxSize:
		return fmt.Sprintf("the file is too large: %s, at most %s are taken in", Bytes(c.Size), Bytes(MaxSize)), "too large"
	case known || c.Named:
		return "", ""
	case ext == "" || ext == c.base():
		return "its name has no ending that says what it is; name the file itself to let its content decide", "names without an ending"
	default:
		return ext + " files are not read", ext + " files"
	}
}

// typeOf is the content type that a name stands for.
func typeOf(name string) (contentType string, known bool) {
	ext := strings.ToLower(path.Ext(name))
	for _, f := range extract.Formats() {
		if slices.Contains(f.Extensions, ext) {
			return f.MIME, true
		}
	}
	return anyType, false
}

// Endings are the endings of file names that are taken in, for messages.
func Endings() string {
	var list []string
	for _, f := range extract.Formats() {
		list = append(list, f.Extensions...)
	}
	return strings.Join(list, " ")
}

// checkContent is for a file that was named and whose name says nothing: the
// same look that the server would take, before anything is sent.
func checkContent(f *os.File, size int64) error {
	_, err := extract.Detect(f, size, "", anyType)
	return err
}

// sentName is a file's name as the API takes it: valid UTF-8 without what
// would be taken for a path or act on a terminal.
func sentName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '\\' || filewalk.Hidden(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(name, string(unicode.ReplacementChar)))
	if strings.TrimSpace(name) == "" {
		return string(unicode.ReplacementChar)
	}
	return name
}

// Bytes writes a size for people: 1.4 MiB.
func Bytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 1023.95 && unit < 4 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}
