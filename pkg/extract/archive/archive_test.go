package archive

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

type part struct {
	name   string
	data   []byte
	stored bool
}

func pack(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		method := zip.Deflate
		if p.stored {
			method = zip.Store
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: p.name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(p.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func open(t testing.TB, raw []byte, l Limits) *Archive {
	t.Helper()
	a, err := Open(bytes.NewReader(raw), int64(len(raw)), l)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(a *Archive, name string) ([]byte, error) {
	r, err := a.Part(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

func code(err error) string {
	var e *block.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func TestPartsAreFoundWhateverTheirSpelling(t *testing.T) {
	t.Parallel()
	a := open(t, pack(t, part{name: `Word\Document.xml`, data: []byte("text")}, part{name: "dir/", data: nil}, part{name: "/lead.xml", data: []byte("x")}), Limits{})
	for _, name := range []string{"word/document.xml", "/word/document.xml", "word/./document.xml", "WORD/DOCUMENT.XML"} {
		if got, err := read(a, name); err != nil || string(got) != "text" || !a.Has(name) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := a.Part("word/none.xml"); !errors.Is(err, ErrNoPart) {
		t.Errorf("missing part: %v", err)
	}
	if names := slices.Sorted(maps.Keys(a.parts)); !slices.Equal(names, []string{"lead.xml", "word/document.xml"}) {
		t.Errorf("names: %s", names)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 12<<20)
	noise := make([]byte, 3<<20)
	src := rand.NewChaCha8([32]byte{})
	if _, err := src.Read(noise); err != nil {
		t.Fatal(err)
	}
	raw := pack(t, part{"zeros", zeros, false}, part{"a", noise, true}, part{"b", noise, true})

	if got, err := read(open(t, raw, Limits{}), "zeros"); code(err) != block.CodeBomb || len(got) > len(zeros)/2 {
		t.Errorf("ratio: read %d bytes, %v", len(got), err)
	}
	if _, err := read(open(t, raw, Limits{Part: 2 << 20}), "a"); code(err) != block.CodeBomb {
		t.Errorf("part limit: %v", err)
	}
	a := open(t, raw, Limits{Expanded: 4 << 20})
	if _, err := read(a, "a"); err != nil {
		t.Errorf("within the budget: %v", err)
	}
	if _, err := read(a, "b"); code(err) != block.CodeBomb {
		t.Errorf("budget of the whole archive: %v", err)
	}
}

func TestDirectoryIsBounded(t *testing.T) {
	t.Parallel()
	// Directory entries all pointing at one part: far more of them than the trailer's count says.
	entry := make([]byte, 46+1)
	copy(entry, "PK\x01\x02")
	binary.LittleEndian.PutUint16(entry[28:], 1)
	entry[46] = 'x'
	n := maxDirectory/len(entry) + 1000
	raw := bytes.Repeat(entry, n)
	end := make([]byte, 22)
	copy(end, "PK\x05\x06")
	binary.LittleEndian.PutUint16(end[8:], uint16(n))
	binary.LittleEndian.PutUint16(end[10:], uint16(n))
	binary.LittleEndian.PutUint32(end[12:], uint32(len(raw)))
	raw = append(raw, end...)
	if _, err := Open(bytes.NewReader(raw), int64(len(raw)), Limits{}); code(err) != block.CodeBomb {
		t.Errorf("err = %v", err)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	raw := pack(t, part{name: "a", data: bytes.Repeat([]byte("some text that packs well. "), 4000)})
	for _, cut := range []int{0, 1, 30, len(raw) / 2, len(raw) - 1} {
		if _, err := Open(bytes.NewReader(raw[:cut]), int64(cut), Limits{}); code(err) != block.CodeCorrupt {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
	flipped := bytes.Clone(raw)
	for i := 60; i < 80; i++ {
		flipped[i] ^= 0x55
	}
	if _, err := read(open(t, flipped, Limits{}), "a"); code(err) != block.CodeCorrupt {
		t.Errorf("flipped bytes: %v", err)
	}
	locked := bytes.Clone(raw)
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1
	if _, err := read(open(t, locked, Limits{}), "a"); code(err) != block.CodeEncrypted {
		t.Errorf("encrypted part: %v", err)
	}
	broken := errors.New("disk gone")
	if _, err := Open(failing{broken}, 100, Limits{}); !errors.Is(err, broken) {
		t.Errorf("read error: %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func FuzzArchive(f *testing.F) {
	f.Add(pack(f, part{name: "word/document.xml", data: []byte("<w:document/>")}, part{name: "b", data: make([]byte, 1000)}))
	f.Add([]byte("PK\x03\x04 and nothing more"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := Open(bytes.NewReader(raw), int64(len(raw)), Limits{Expanded: 1 << 20})
		if err != nil {
			return
		}
		for name := range a.parts {
			got, _ := read(a, name)
			if len(got) > 2<<20 {
				t.Fatalf("%d bytes out of a budget of 1 MiB", len(got))
			}
		}
	})
}
