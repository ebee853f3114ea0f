package ole

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

func TestStreamsByPath(t *testing.T) {
	t.Parallel()
	want := map[string][]byte{
		"a":                      []byte("small"),
		"empty":                  nil,
		"store/b":                bytes.Repeat([]byte("large "), 20000),
		"store/deeper/c":         []byte(strings.Repeat("x", 4095)),
		"\x05SummaryInformation": []byte("p"),
	}
	raw := oletest.Container(t, want)
	c, err := Open(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	for path, b := range want {
		if got := c.Stream(path, 1<<20); !bytes.Equal(got, b) || !c.Has(path) || c.Size(path) != int64(len(b)) {
			t.Errorf("%q: %d bytes, size %d, want %d", path, len(got), c.Size(path), len(b))
		}
		if got := c.Stream(path, 3); len(got) != min(3, len(b)) { // read anew, and bounded
			t.Errorf("%q: %d bytes of 3", path, len(got))
		}
	}
	if !c.Has("store/deeper") || c.Has("nothing") || c.Stream("nothing", 10) != nil || len(c.Names()) < 7 {
		t.Errorf("names %q", c.Names())
	}
	if _, err := c.Open("nothing"); !errors.Is(err, ErrNoStream) {
		t.Errorf("nothing: %v", err)
	}
}

func TestDamagedContainers(t *testing.T) {
	t.Parallel()
	raw := oletest.Container(t, map[string][]byte{"a": bytes.Repeat([]byte("0123456789"), 1000)})
	for _, n := range []int{0, 8, 511, 700} {
		if _, err := Open(bytes.NewReader(raw[:n]), int64(n)); blocktest.Code(err) != "corrupt" {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := Open(failing{}, 1000); err == nil {
		t.Error("a reader that fails")
	}
}

type failing struct{}

func (failing) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

func TestTexts(t *testing.T) {
	t.Parallel()
	for codepage, c := range map[int]struct{ raw, want string }{
		1252: {"\x93caf\xe9\x94", "“café”"}, 1251: {"\xcf\xf0", "Пр"}, 932: {"\x93\xfa\x96\x7b", "日本"}, 65001: {"é", "é"}, 0: {"\xe9", "é"}, 10000: {"\x8e", "é"},
	} {
		if got := Decode([]byte(c.raw), codepage); got != c.want {
			t.Errorf("%d: %q", codepage, got)
		}
	}
	if got := Bytes("a\x00\x3d\xd8\x00\xdex").UTF16(); got != "a😀" {
		t.Errorf("UTF-16: %q", got)
	}
	b := Bytes{1, 2, 3, 4, 5, 6, 7, 8}
	if b.U8(9) != 0 || b.U16(7) != 8 || b.U32(5) != 0 || b.U64(0) != 0x0807060504030201 || b.U64(1) != 0 || b.Part(6, 99).U8(1) != 8 || b.Part(-1, 2) != nil {
		t.Error("numbers at the edge")
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(oletest.Container(f, map[string][]byte{"a": []byte("x"), "s/b": bytes.Repeat([]byte("y"), 5000)}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		for _, n := range c.Names() {
			if got := c.Stream(n, 1<<20); int64(len(got)) > c.Size(n) {
				t.Fatalf("%q: %d bytes of %d", n, len(got), c.Size(n))
			}
			_ = Summary(c.Stream(n, 4096))
		}
	})
}
