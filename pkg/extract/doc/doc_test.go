package doc

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/ole"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

var (
	inTable = []byte{0x16, 0x24, 1}
	rowEnd  = []byte{0x16, 0x24, 1, 0x17, 0x24, 1}
)

// styles are Normal, a heading of level 2, one derived from it, and the title.
func styles() []byte {
	b := []byte{4, 0, 4, 0, 0, 0}
	for _, s := range [][2]uint16{{0, 0xfff}, {2, 0}, {0xffe, 1}, {62, 0}} {
		b = binary.LittleEndian.AppendUint16(b, 4)
		b = binary.LittleEndian.AppendUint16(b, s[0])
		b = binary.LittleEndian.AppendUint16(b, s[1]<<4|1)
	}
	return b
}

func TestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file wordFile
		want string
	}{
		"paragraphs":   {wordFile{texts: [8]string{"One\rtwo\x0bthree\x0cfour\ta\x1eb\x1fc\x01\x08"}}, "paragraph: One\nparagraph: two⏎three\nparagraph: four\ta-bc\n"},
		"one byte":     {wordFile{texts: [8]string{"a\u00e7\u00e3o \u0093x\u0094\r"}}, "paragraph: ação “x”\n"},
		"two bytes":    {wordFile{wide: true, texts: [8]string{"ação 中 😀 \uf0b7\r"}}, "paragraph: ação 中 😀\n"},
		"fields":       {wordFile{texts: [8]string{"see \x13 HYPERLINK \x13 x \x14 y \x15 \x14the link\x15.\r\x13 never ends\rnext\r"}}, "paragraph: see the link.\nparagraph: next\n"},
		"headings":     {wordFile{texts: [8]string{"A\rB\rC\rD\rE\r"}, structures: map[int][]byte{atStyles: styles()}, paragraphs: []run{{2, 1, nil}, {4, 2, nil}, {6, 3, nil}, {8, 0, []byte{0x40, 0x26, 0}}, {10, 1, []byte{0x40, 0x26, 9}}}}, "heading 2: A\nheading 2: B\nheading 1: C\nheading 1: D\nheading 2: E\n"},
		"lists":        {wordFile{texts: [8]string{"A\rB\rC\r"}, paragraphs: []run{{2, 0, []byte{0x0b, 0x46, 1, 0}}, {4, 0, []byte{0x0a, 0x26, 1, 0x0b, 0x46, 1, 0}}, {6, 0, []byte{0x0b, 0x46, 0, 0}}}}, "list_item: A\nlist_item 1: B\nparagraph: C\n"},
		"hidden":       {wordFile{texts: [8]string{"abcdef\r"}, characters: []run{{1, 0, nil}, {2, 0, []byte{0x3c, 0x08, 1}}, {3, 0, nil}, {4, 0, []byte{0x35, 0x08, 1, 0x00, 0x08, 1}}}}, "paragraph: acef\n"},
		"table":        {wordFile{texts: [8]string{"a\x07b\rc\x07\x07d\x07\x07\x07after\r"}, paragraphs: []run{{6, 0, inTable}, {7, 0, rowEnd}, {10, 0, inTable}, {11, 0, rowEnd}, {17, 0, nil}}}, "table: [a|b⏎c] [d|]\nparagraph: after\n"},
		"frame":        {wordFile{texts: [8]string{"a\rb\x07\x07c\r"}, paragraphs: []run{{4, 0, inTable}, {5, 0, rowEnd}, {7, 0, nil}}}, "paragraph: a\nparagraph: b\nparagraph: c\n"},
		"no more rows": {wordFile{texts: [8]string{"a\x07b\x07"}, paragraphs: []run{{4, 0, inTable}}}, "table: [a|b]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, c.file.pack(t), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings)+len(d.Asides) > 0 || d.Done == 0 {
				t.Errorf("warnings %q, %d asides, %d done", d.Warnings, len(d.Asides), d.Done)
			}
		})
	}
}

func TestAsides(t *testing.T) {
	t.Parallel()
	w := wordFile{
		texts: [8]string{"text\x02 and\x02 more\r", "\x02 first\r", "seps\rHead\rFoot\r", "", "check\r", "\x02 last\r", "in a box\r", ""},
		structures: map[int][]byte{
			atFootnoteRefs: append(u32s(4, 16), 1, 0), atFootnotes: u32s(0, 8, 9),
			atEndnoteRefs: append(u32s(9, 16), 1, 0), atEndnotes: u32s(0, 7, 8),
			atComments: u32s(0, 6, 7),
			atHeaders:  u32s(0, 5, 5, 5, 5, 5, 5, 5, 10, 10, 15, 15, 15),
		},
	}
	d := blocktest.Parse(t, Parse, w.pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), "paragraph: text[^1] and[^i] more\n"; got != want {
		t.Errorf("body: %q", got)
	}
	want := "footnote (1): first\nheader: Head\nfooter: Foot\ncomment: check\nendnote (i): last\ntext_box: in a box\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("asides:\n%swant:\n%s", got, want)
	}
	w.structures = nil // where the parts of a text begin isn't known
	d = blocktest.Parse(t, Parse, w.pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	if len(d.Asides) != 5 {
		t.Errorf("asides:\n%s", blocktest.Outline(d.Asides))
	}
}

// oldFile is a document of Word 6.
func oldFile(t testing.TB, text string) []byte {
	t.Helper()
	main := make([]byte, 0x300)
	binary.LittleEndian.PutUint16(main, 0xa5dc)
	binary.LittleEndian.PutUint16(main[2:], 0x65)
	binary.LittleEndian.PutUint32(main[0x18:], 0x300)
	binary.LittleEndian.PutUint32(main[0x1c:], uint32(0x300+len(text)))
	binary.LittleEndian.PutUint32(main[0x34:], uint32(len(text)))
	return oletest.Container(t, map[string][]byte{"WordDocument": append(main, text...)})
}

func TestOldWord(t *testing.T) {
	t.Parallel()
	text, err := charmap.Windows1251.NewEncoder().String("Запуск программы установки Данному приложению требуется новая версия " + strings.Repeat("and much in English ", 20))
	if err != nil {
		t.Fatal(err)
	}
	d := blocktest.Parse(t, Parse, oldFile(t, text+"\ra\x07b\x07\x07c\x07d\x07\x07\r"), block.Options{})
	blocktest.Check(t, d, nil)
	got := blocktest.Outline(d.Blocks)
	if !strings.HasPrefix(got, "paragraph: Запуск программы") || !strings.HasSuffix(got, "table: [a|b] [c|d]\n") {
		t.Errorf("%q", got)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	set := make([]byte, 44)
	set = append(set, u32s(48, 0, 3, 1, 32, 2, 40, 12, 60)...)
	set = append(set, make([]byte, 48+32-len(set))...)
	set = append(set, 2, 0, 0, 0, 0xe4, 4, 0, 0) // codepage 1252
	set = append(set, 0x1e, 0, 0, 0, 9, 0, 0, 0, 'T', 0xed, 't', 'u', 'l', 'o', 0, 0, 0, 0, 0, 0)
	set = append(set, 0x40, 0, 0, 0)
	set = binary.LittleEndian.AppendUint64(set, (1_700_000_000+11644473600)*1e7)
	m := ole.Summary(set)
	if m.Title != "Título" || m.Created == nil || m.Created.Unix() != 1_700_000_000 {
		t.Errorf("%+v", m)
	}
	if m := ole.Summary(set[:50]); m.Title != "" {
		t.Errorf("%+v", m)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	good := wordFile{texts: [8]string{"text\r"}}
	packed := good.pack(t)
	// The same thousand characters a thousand times.
	again := wordFile{texts: [8]string{strings.Repeat("x", 1000)}, pieces: func([]byte) []byte {
		const n = 1000
		var cps, places []byte
		for i := range n + 1 {
			cps = append(cps, u32s(uint32(1000*i))...)
		}
		for range n {
			places = append(places, 0, 0)
			places = append(places, u32s(2*textAt|0x40000000)...)
			places = append(places, 0, 0)
		}
		return slices.Concat([]byte{2}, u32s(uint32(len(cps)+len(places))), cps, places)
	}}.pack(t)
	at := strings.Index(string(again), "\xec\xa5")
	binary.LittleEndian.PutUint32(again[at+0x4c:], 1_000_000)
	for name, c := range map[string]struct {
		raw  []byte
		code string
	}{
		"no container":      {[]byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), block.CodeCorrupt},
		"no stream":         {oletest.Container(t, map[string][]byte{"1Table": nil}), block.CodeCorrupt},
		"junk":              {oletest.Container(t, map[string][]byte{"WordDocument": []byte(strings.Repeat("junk", 100))}), block.CodeCorrupt},
		"cut in the header": {packed[:300], block.CodeCorrupt},
		"encrypted":         {wordFile{texts: [8]string{"x"}, flags: 0x0100}.pack(t), block.CodeEncrypted},
		"no pieces":         {wordFile{texts: [8]string{"x"}, pieces: func([]byte) []byte { return []byte{1, 0xff} }}.pack(t), block.CodeCorrupt},
		"no text":           {wordFile{texts: [8]string{"\r\r"}}.pack(t), block.CodeNoText},
		"text again":        {again, block.CodeBomb},
	} {
		if _, err := blocktest.Try(t, Parse, c.raw, block.Options{}); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("0123456789", 500)
	far := wordFile{texts: [8]string{text}, pieces: func(good []byte) []byte {
		binary.LittleEndian.PutUint32(good[9:], 1<<20) // more characters than there are
		return good
	}}.pack(t)
	binary.LittleEndian.PutUint32(far[strings.Index(string(far), "\xec\xa5")+0x4c:], 1<<20)
	d, err := blocktest.Try(t, Parse, far, block.Options{})
	blocktest.Check(t, d, err)
	if err == nil && len(d.Warnings) != 1 {
		t.Errorf("%d blocks, %q", len(d.Blocks), d.Warnings)
	}
	raw := wordFile{texts: [8]string{"text\r"}, paragraphs: []run{{5, 0, inTable}}}.pack(t)
	for i := range 600 { // every byte that matters, one at a time
		bad := slices.Clone(raw)
		bad[512+i] ^= 0xff
		d, err := blocktest.Try(t, Parse, bad, block.Options{})
		blocktest.Check(t, d, err)
	}
}

func TestLongParagraphsComeInPieces(t *testing.T) {
	t.Parallel()
	main := strings.Repeat("word ", 12_000)
	d := &document{ctx: context.Background(), narrow: charmap.Windows1252}
	for _, c := range utf16.Encode([]rune(main)) {
		d.main = append(d.main, byte(c))
	}
	var all strings.Builder
	n := 0
	f := &flow{d: d, put: func(b block.Block) error {
		if b.Continues != (n > 0) {
			t.Fatalf("piece %d: continues %v", n, b.Continues)
		}
		n++
		all.WriteString(b.Text)
		return nil
	}}
	const times = 40
	for i := range times {
		d.pieces = append(d.pieces, piece{cp: i * len(main), end: (i + 1) * len(main)})
	}
	d.left = times * len(main)
	if err := f.read(0, times*len(main)); err != nil || all.String() != strings.Repeat(main, times) || n < 2 {
		t.Errorf("%v, %d pieces are not the paragraph", err, n)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := wordFile{texts: [8]string{"a\rb\r", "note\r"}}.pack(t)
	gone := errors.New("reader gone")
	for after := range 5 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := wordFile{texts: [8]string{strings.Repeat("x\r", 5000)}}.pack(t)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(wordFile{texts: [8]string{"a\x07b\x07\x07\x13x\x14y\x15\r", "note\r", "head\r"}, paragraphs: []run{{4, 0, inTable}, {5, 0, rowEnd}}, structures: map[int][]byte{atStyles: styles(), atFootnotes: u32s(0, 5, 6)}}.pack(f))
	f.Add(oldFile(f, "old\rtext\x07\x07"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}

func TestWord2(t *testing.T) {
	t.Parallel()
	file := func(flags uint16) []byte {
		text := "One caf\xe9\r\na\x07b\x07\x07last\r\n"
		b := make([]byte, 0x180)
		binary.LittleEndian.PutUint16(b, 0xa5db)
		binary.LittleEndian.PutUint16(b[2:], 45)
		binary.LittleEndian.PutUint16(b[10:], flags)
		binary.LittleEndian.PutUint32(b[0x18:], 0x180)
		binary.LittleEndian.PutUint32(b[0x1c:], uint32(0x180+len(text)))
		binary.LittleEndian.PutUint32(b[0x34:], uint32(len(text)))
		return append(b, text...)
	}
	d := blocktest.Parse(t, Parse, file(0), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), "paragraph: One café\ntable: [a|b]\nparagraph: last\n"; got != want || len(d.Warnings) > 0 {
		t.Errorf("got:\n%swant:\n%swarnings %q", got, want, d.Warnings)
	}
	if d := blocktest.Parse(t, Parse, file(4), block.Options{}); len(d.Warnings) != 1 {
		t.Errorf("saved in haste: warnings %q", d.Warnings)
	}
	if _, err := blocktest.Try(t, Parse, file(0x100), block.Options{}); blocktest.Code(err) != block.CodeEncrypted {
		t.Errorf("encrypted: %v", err)
	}
	if _, err := blocktest.Try(t, Parse, []byte("\xdb\xa5"), block.Options{}); blocktest.Code(err) != block.CodeCorrupt {
		t.Errorf("cut short: %v", err)
	}
}
