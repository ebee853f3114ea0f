package block

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                           "",
		"plain text\n\twith tab":     "plain text\n\twith tab",
		"a\r\nb\rc":                  "a\nb\nc",
		"nul\x00, bell\x07, esc\x1b": "nul, bell, esc",
		"usu\u00e1\ufffe\u00adrios":  "usu\u00e1rios",
		"\ufefftext":                 "text",
		"bad \xff byte":              "bad \ufffd byte",
		"line\u2028break\u0085x":     "line\nbreak\nx",
		"\U0001f600 \U0010fffe":      "\U0001f600 ",
		"real \ufffd stays":          "real \ufffd stays",
	} {
		if got := Clean(in); got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanIsIdempotentAndValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		got := Clean(s)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r\ufeff") {
			t.Fatalf("Clean(%q) = %q", s, got)
		}
		if again := Clean(got); again != got {
			t.Fatalf("Clean(Clean(%q)) = %q, want %q", s, again, got)
		}
	})
}
