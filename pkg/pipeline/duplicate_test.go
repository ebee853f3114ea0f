package pipeline

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/extract"
)

func TestTextHashIgnoresLayoutOnly(t *testing.T) {
	t.Parallel()
	base := textHash("Uma página de texto.\n\nOutra ﬁla.\n")
	for name, same := range map[string]string{
		"line ends":         "Uma página de texto.\r\n\r\nOutra ﬁla.\r\n",
		"wrapping":          "Uma página\nde texto. Outra ﬁla.",
		"no-break space":    "Uma\u00a0página de texto.\tOutra ﬁla.",
		"decomposed accent": "Uma pa\u0301gina de texto. Outra ﬁla.",
		"ligature":          "Uma página de texto. Outra fila.",
	} {
		if textHash(same) != base {
			t.Errorf("%s makes another hash", name)
		}
	}
	for name, other := range map[string]string{
		"a word":     "Uma página de texto. Outra vila.",
		"case":       "uma página de texto. Outra fila.",
		"no space":   "Umapágina de texto. Outra fila.",
		"no accent":  "Uma pagina de texto. Outra fila.",
		"an addenda": "Uma página de texto. Outra fila. .",
	} {
		if textHash(other) == base {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func TestWhatCountsAsTheSameText(t *testing.T) {
	t.Parallel()
	words := func(n int) extract.Metadata { return extract.Metadata{Words: n} }
	for _, c := range []struct {
		name string
		doc  extract.Document
		want bool
	}{
		{"a short note", extract.Document{Format: "text", Meta: words(2)}, true},
		{"short markdown", extract.Document{Format: "markdown", Meta: words(2)}, true},
		{"half an html", extract.Document{Format: "html", Meta: words(500), Partial: true}, false},
		{"a scan with a stamp", extract.Document{Format: "pdf", Meta: words(3)}, false},
		{"a pdf with text", extract.Document{Format: "pdf", Meta: words(minWordsOfPages)}, true},
		{"a pdf with a page missing", extract.Document{Format: "pdf", Meta: words(500), Partial: true}, false},
		{"a docx with text", extract.Document{Format: "docx", Meta: words(500)}, true},
	} {
		if got := countsAsText(&c.doc); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}
