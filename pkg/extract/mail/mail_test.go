package mail

import (
	"context"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestWriter(t *testing.T) {
	t.Parallel()
	s := &blocktest.Sink{}
	w := Writer{Sink: s}
	for _, err := range []error{
		w.Begin(Head{Subject: "Hello", From: "a@b", To: "c@d", Cc: "e@f"}, 1),
		w.Plain("one\ntwo\n\n> said\n\nthree"),
		w.Begin(Head{From: "x@y", Date: "today"}, 9),
		w.Page(context.Background(), []byte("<h1>Page</h1>")),
		w.Attached("", "image/png", 7),
		w.Truncated(), w.Truncated(),
		w.Verdict(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := blocktest.Outline(s.Blocks); got != "heading 1: Hello\nparagraph: one⏎two\nquote: said\nparagraph: three\nparagraph: From: x@y⏎Date: today\nheading 1: Page\n" {
		t.Errorf("got:\n%s", got)
	}
	if got := blocktest.Outline(s.Asides); got != "header: To: c@d⏎Cc: e@f\nannotation: Attachment: unnamed (image/png, 7 bytes)\n" {
		t.Errorf("asides:\n%s", got)
	}
	if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], block.TextIncomplete) {
		t.Errorf("warnings %q", s.Warnings)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for code, w := range map[string]Writer{"": {Blocks: 1, Encrypted: true}, block.CodeEncrypted: {Encrypted: true, Attachments: 1}, block.CodeNoText: {Attachments: 1}} {
		if got := blocktest.Code(w.Verdict()); got != code {
			t.Errorf("%+v: %q, want %q", w, got, code)
		}
	}
	if m := (Head{From: `"Ann B." <a@b.example>`}).Metadata(); m.Author != "Ann B." {
		t.Errorf("author %q", m.Author)
	}
}

func TestUnflow(t *testing.T) {
	t.Parallel()
	if got := Unflow("a \nb\n> c \n> d\n-- \nsig", false); got != "a b\n> c d\n-- \nsig" {
		t.Errorf("got %q", got)
	}
}
