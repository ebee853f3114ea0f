package chunk

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCountAgreesWithTheTokenizer(t *testing.T) {
	t.Parallel()
	c := newCounter()
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		got, err := c.count(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		want, err := c.codec.Count(s)
		if err != nil || got != want {
			t.Fatalf("%q: %d tokens, the tokenizer counts %d, %v", s, got, want, err)
		}
	}
	for _, s := range []string{
		"", " ", "\n", "Hello, world!", "It's I'M they'LL we've 'sam 'x'", "A manutenção é obrigatória — não há exceções.\r\n\r\n  Fim",
		"1234567 3,14 ½ ⅷ ٣٤", "   leading", "trailing   ", "a \n\n  \t b", "\u00a0\u2003x", "漢字かな交じり文 ไทย العربية 😀👩‍👩‍👧", "..\n\n..", " ..", "\t..", "| a | b |\n| --- | --- |",
		strings.Repeat("a", 1000), strings.Repeat(" ", 300) + "x", "e\u0301\u0302", "\u0085x\u200bz",
	} {
		check(t, s)
	}
	alphabet := []rune("aZé'sStTrevEmMlLdD 0９½²  \n\r\t\u00a0\u3000\u2028\u0085.,-_|#*—“漢あ😀\u0301\u200d\ufffd")
	text := rapid.OneOf(rapid.StringOf(rapid.RuneFrom(alphabet)), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		// DEL is in no rendered text; the tokenizer leaves it out.
		check(t, strings.ReplaceAll(text.Draw(t, "text"), "\x7f", ""))
	})
}

func TestNoTokenIsLongerThanAssumed(t *testing.T) {
	t.Parallel()
	c := newCounter()
	for _, unit := range []string{" ", "a", "-", "=", "*", "/", "\n", "_", "0", "\t"} {
		s := strings.Repeat(unit, 10*maxTokenLen)
		if n, err := c.count(s); err != nil || n*maxTokenLen < len(s) {
			t.Errorf("%q: %d tokens for %d bytes, %v", unit, n, len(s), err)
		}
	}
}

func BenchmarkCount(b *testing.B) {
	text := strings.Repeat("A manutenção preventiva é obrigatória; nothing may be postponed without approval. Item 42 costs 3.14 € (see p. 7).\n\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := newCounter().count(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewCounter(b *testing.B) {
	for b.Loop() {
		newCounter()
	}
}
