package chunk

import (
	"bytes"
	"compress/gzip"
	"os"
	"strings"
	"testing"

	"github.com/tiktoken-go/tokenizer/codec"
	"pgregory.net/rapid"
)

func mustCounter(t interface{ Fatalf(string, ...any) }) *counter {
	c, err := newCounter()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

// The vocabulary in the repository is that of the tokenizer the tests compare
// with. Made anew with DOCSVC_WRITE_VOCABULARY=1.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	oracle := codec.NewCl100kBase()
	var raw bytes.Buffer
	n := 0
	for ; ; n++ {
		token, err := oracle.Decode([]uint{uint(n)})
		if err != nil {
			break
		}
		if len(token) == 0 || len(token) > maxTokenLen {
			t.Fatalf("token %d has %d bytes", n, len(token))
		}
		raw.WriteByte(byte(len(token)))
		raw.WriteString(token)
	}
	if os.Getenv("DOCSVC_WRITE_VOCABULARY") != "" {
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(raw.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("cl100k.bin.gz", packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	ranks, err := vocabulary()
	if err != nil || len(ranks) != n || n < 100000 {
		t.Fatalf("%d tokens, the tokenizer has %d, %v", len(ranks), n, err)
	}
	for rank, rest := 0, raw.Bytes(); len(rest) > 0; rank++ {
		token := string(rest[1 : 1+rest[0]])
		if got, ok := ranks[token]; !ok || int(got) != rank {
			t.Fatalf("token %q has rank %d, want %d", token, got, rank)
		}
		rest = rest[1+rest[0]:]
	}
	for _, packed := range []string{"", "not gzip", string(packedVocabulary[:1000])} {
		if _, err := unpack([]byte(packed)); err == nil {
			t.Errorf("%d damaged bytes were unpacked", len(packed))
		}
	}
}

func TestCountAgreesWithTheTokenizer(t *testing.T) {
	t.Parallel()
	c, oracle := mustCounter(t), codec.NewCl100kBase()
	check := func(t interface{ Fatalf(string, ...any) }, s string) {
		got := c.count(s)
		want, err := oracle.Count(s)
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
	c := mustCounter(t)
	for _, unit := range []string{" ", "a", "-", "=", "*", "/", "\n", "_", "0", "\t"} {
		s := strings.Repeat(unit, 10*maxTokenLen)
		if n := c.count(s); n*maxTokenLen < len(s) {
			t.Errorf("%q: %d tokens for %d bytes", unit, n, len(s))
		}
	}
}

func BenchmarkCount(b *testing.B) {
	text := strings.Repeat("A manutenção preventiva é obrigatória; nothing may be postponed without approval. Item 42 costs 3.14 € (see p. 7).\n\n", 1000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		mustCounter(b).count(text)
	}
}
