package pdf

import (
	"strings"
	"unicode"

	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds on an outline. Its entries are linked lists in the file, which may
// run in circles.
const (
	maxEntries = 5000
	maxDepth   = 12
	maxSeen    = 16 // entries met before, one after the other: a circle
)

// entry is one entry of the outline.
type entry struct {
	title string // as in key
	level int    // from 1
	page  int    // from 1
}

// outlineWalk goes through an outline. PDFium's own walk never ends on a
// circle, and its references differ each time the same entry is met, so
// entries are known by what they say.
type outlineWalk struct {
	*document
	entries []entry
	visited map[entry]bool
	met     int
}

// outline reads the document's outline, nil when there is none. Whatever is
// wrong with it is left out: it only helps to find headings.
func (d *document) outline() []entry {
	w := &outlineWalk{document: d, visited: make(map[entry]bool)}
	w.children(nil, 1)
	return w.entries
}

func (w *outlineWalk) children(parent *references.FPDF_BOOKMARK, level int) {
	first, err := w.pdfium.FPDFBookmark_GetFirstChild(&requests.FPDFBookmark_GetFirstChild{Document: w.ref, Bookmark: parent})
	if err != nil || level > maxDepth {
		return
	}
	seen := 0
	for at := first.Bookmark; at != nil && w.met < maxEntries && seen < maxSeen; w.met++ {
		e := w.entry(*at, level)
		if w.visited[e] {
			seen++
		} else {
			seen = 0
			w.visited[e] = true
			if e.title != "" && e.page > 0 {
				w.entries = append(w.entries, e)
			}
			w.children(at, level+1)
		}
		next, err := w.pdfium.FPDFBookmark_GetNextSibling(&requests.FPDFBookmark_GetNextSibling{Document: w.ref, Bookmark: *at})
		if err != nil {
			return
		}
		at = next.Bookmark
	}
}

func (w *outlineWalk) entry(at references.FPDF_BOOKMARK, level int) entry {
	e := entry{level: level}
	if title, err := w.pdfium.FPDFBookmark_GetTitle(&requests.FPDFBookmark_GetTitle{Bookmark: at}); err == nil {
		e.title = key(title.Title)
	}
	if dest := w.destination(at); dest != nil {
		if index, err := w.pdfium.FPDFDest_GetDestPageIndex(&requests.FPDFDest_GetDestPageIndex{Document: w.ref, Dest: *dest}); err == nil {
			e.page = index.Index + 1
		}
	}
	return e
}

// destination is where an entry leads, by itself or by its action.
func (w *outlineWalk) destination(at references.FPDF_BOOKMARK) *references.FPDF_DEST {
	if dest, err := w.pdfium.FPDFBookmark_GetDest(&requests.FPDFBookmark_GetDest{Document: w.ref, Bookmark: at}); err == nil && dest.Dest != nil {
		return dest.Dest
	}
	action, err := w.pdfium.FPDFBookmark_GetAction(&requests.FPDFBookmark_GetAction{Bookmark: at})
	if err != nil || action.Action == nil {
		return nil
	}
	dest, err := w.pdfium.FPDFAction_GetDest(&requests.FPDFAction_GetDest{Document: w.ref, Action: *action.Action})
	if err != nil {
		return nil
	}
	return dest.Dest
}

// maxKey bounds what two titles are compared by, in bytes.
const maxKey = 400

// key is what a title and its line in the text have in common: letters and
// digits, in lower case.
func key(s string) string {
	var b strings.Builder
	for _, r := range block.Clean(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
		if b.Len() >= maxKey {
			break
		}
	}
	return b.String()
}

// matches reports whether a line with key text is the title: the same but
// for a number before it, or a chapter's name and number.
func (e entry) matches(text string) bool {
	before, ok := strings.CutSuffix(text, e.title)
	if !ok {
		// The outline has the number, the line has not.
		before, ok = strings.CutSuffix(e.title, text)
		if !ok || len(text) < 4 {
			return false
		}
	}
	return isNumbering(before)
}

// isNumbering reports whether the letters and digits before a title only
// count: digits, one letter, Roman numerals, a word like chapter with digits.
func isNumbering(s string) bool {
	for _, word := range []string{"chapter", "section", "part", "appendix", "annex", "capítulo", "capitulo", "seção", "secao", "parte", "apêndice", "apendice", "anexo", "kapitel", "chapitre"} {
		if rest, ok := strings.CutPrefix(s, word); ok {
			s = rest
			break
		}
	}
	return len(s) <= 12 && (strings.Trim(s, "0123456789") == "" || strings.Trim(s, "ivxlcdm") == "" || len(strings.Trim(s, "0123456789")) == 1)
}
