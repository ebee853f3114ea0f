package plain

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestParagraphs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"blank lines separate":        {"one\ntwo  \n\n \t\n  three\n", "paragraph: one⏎two\nparagraph:   three\n"},
		"line ends":                   {"a\r\nb\rc\n\r\n\rd", "paragraph: a⏎b⏎c\nparagraph: d\n"},
		"form feeds are page breaks":  {"first\n\fsecond\nline\fthird\n\f", "paragraph p1: first\nparagraph p2: second⏎line\nparagraph p3: third\n"},
		"marks and controls":          {"\ufeffa\x07b\u00ad\x1a\n", "paragraph: ab\n"},
		"colours of a terminal":       {"\x1b[1;31merror\x1b[0m: \x1b]0;title\x07x", "paragraph: error: x\n"},
		"overstriking":                {"N\bNA\bAM\bME\bE _\bã", "paragraph: NAME ã\n"},
		"no line end at the end":      {"a", "paragraph: a\n"},
		"other line separators":       {"a\u2028b\u0085c", "paragraph: a⏎b⏎c\n"},
		"looks like Markdown, stays ": {"# a\n\n- b", "paragraph: # a\nparagraph: - b\n"},
	} {
		d := blocktest.Parse(t, Parse, []byte(c.raw), block.Options{})
		blocktest.Check(t, d, nil)
		if got := blocktest.Outline(d.Blocks); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	const text = "Relatório de operações: não há exceções. À noite, só o técnico de plantão."
	for name, enc := range map[string]interface{ String(string) (string, error) }{
		"iso-8859-1": charmap.ISO8859_1.NewEncoder(),
		"utf-16le":   unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder(),
		"utf-8":      unicode.UTF8BOM.NewEncoder(),
	} {
		raw, err := enc.String(text)
		if err != nil {
			t.Fatal(err)
		}
		d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
		if got := blocktest.Outline(d.Blocks); got != "paragraph: "+text+"\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
	raw, err := charmap.KOI8R.NewEncoder().String("да")
	if err != nil {
		t.Fatal(err)
	}
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{Charset: "koi8-r"})
	if got := blocktest.Outline(d.Blocks); got != "paragraph: да\n" {
		t.Errorf("declared: %q", got)
	}
}

// Paragraphs and lines of megabytes come in pieces that make up the same text.
func TestLargeParagraphsComeInPieces(t *testing.T) {
	t.Parallel()
	lines := strings.Repeat("some words of a log file without any blank line\n", 40000)
	line := strings.Repeat("x"+strings.Repeat("ção€😀", 2000), 30)
	d := blocktest.Parse(t, Parse, []byte(lines+"\n"+line), block.Options{})
	blocktest.Check(t, d, nil)
	var texts []string
	for _, b := range d.Blocks {
		if len(b.Text) > 2*pieceSize {
			t.Fatalf("a piece of %d bytes", len(b.Text))
		}
		if b.Continues {
			texts[len(texts)-1] += b.Text
		} else {
			texts = append(texts, b.Text)
		}
	}
	if len(texts) != 2 || len(d.Blocks) < 6 || texts[0] != strings.TrimSpace(lines) || texts[1] != line {
		t.Errorf("%d blocks, %d texts", len(d.Blocks), len(texts))
	}
	if d.Done < 2 {
		t.Errorf("progress was reported %d times", d.Done)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw, code string
		pages     int
	}{
		"blanks":         {" \n\t\f\n", block.CodeNoText, 0},
		"nothing":        {"", block.CodeNoText, 0},
		"binary":         {"text first\n" + strings.Repeat("\x00\x01\x02\xff\xfe", 100), block.CodeUnsupported, 0},
		"too many pages": {"a\fb\fc\fd", block.CodeTooLarge, 3},
	} {
		if _, err := blocktest.Try(t, Parse, []byte(c.raw), block.Options{MaxPages: c.pages}); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := blocktest.Parse(t, Parse, []byte(strings.Repeat("ação ", 100)+"\xff"), block.Options{})
	if len(d.Warnings) != 1 {
		t.Errorf("damaged character: %q", d.Warnings)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := []byte(strings.Repeat("x\n\n", 5000))
	gone := errors.New("reader gone")
	for _, after := range []int{0, 1, 4999, 5000} {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Parse(ctx, blocktest.File(t, raw), int64(len(raw)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("a\n\nb\fc\r\nd\re\x1b[0m\bf"), "")
	f.Add([]byte("\xff\xfea\x00\f\x00"), "utf-16")
	f.Fuzz(func(t *testing.T, raw []byte, hint string) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{Charset: hint})
		blocktest.Check(t, d, err)
	})
}

func TestPagesAreCounted(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"a\n\nb": 0, "a\n\fb": 2, "a\n\fb\n\f": 2, "a\n\f\f\nb\n\f \n": 3} {
		if got := blocktest.Parse(t, Parse, []byte(text), block.Options{}).Meta.Pages; got != want {
			t.Errorf("%q: %d pages, want %d", text, got, want)
		}
	}
}
