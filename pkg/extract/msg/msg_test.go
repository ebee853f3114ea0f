package msg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/mail"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// storage is a message, recipient or attachment being made.
type storage struct {
	streams map[string][]byte
	table   []byte // of properties that are short
}

func newStorage() *storage { return &storage{streams: map[string][]byte{}} }

func utf(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

func (s *storage) text(id int, text string) *storage {
	s.streams[streamName(id, typeUnicode)] = utf(text)
	return s
}

func (s *storage) narrow(id int, text string) *storage {
	s.streams[streamName(id, typeNarrow)] = []byte(text)
	return s
}

func (s *storage) binary(id int, b []byte) *storage {
	s.streams[streamName(id, typeBinary)] = b
	return s
}

func (s *storage) short(id, kind int, v uint64) *storage {
	s.table = binary.LittleEndian.AppendUint32(s.table, uint32(id<<16|kind))
	s.table = binary.LittleEndian.AppendUint32(s.table, 6)
	s.table = binary.LittleEndian.AppendUint64(s.table, v)
	return s
}

// put takes in another storage below a name; header is how long the head of its
// table of properties is.
func (s *storage) put(name string, inner *storage, header int) *storage {
	for n, b := range inner.done(header) {
		s.streams[name+"/"+n] = b
	}
	return s
}

func (s *storage) done(header int) map[string][]byte {
	all := maps.Clone(s.streams)
	all["__properties_version1.0"] = append(make([]byte, header), s.table...)
	return all
}

func (s *storage) recipient(n, kind int, name, address string) *storage {
	r := newStorage().text(propName, name).text(propSMTP, address).short(propRecipientKind, typeNumber, uint64(kind))
	return s.put(fmt.Sprintf("%s%08X", recipientPrefix, n), r, 8)
}

func (s *storage) attach(n int, a *storage) *storage {
	return s.put(fmt.Sprintf("%s%08X", attachmentPrefix, n), a, 8)
}

// holds makes an attachment that is a message.
func holds(inner *storage) *storage {
	return newStorage().short(propMethod, typeNumber, 5).put(streamName(propData, typeObject), inner, 24)
}

func (s *storage) pack(t testing.TB) []byte { return oletest.Container(t, s.done(32)) }

func fileTime(t time.Time) uint64 { return uint64(t.Unix()+11644473600) * 1e7 }

var sent = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// mailOf is a message with a head.
func mailOf(subject string) *storage {
	return newStorage().text(propSubject, subject).text(propSenderName, "Ann B.").text(propSenderSMTP, "ann@example.org").short(propSubmitted, typeTime, fileTime(sent))
}

func full() *storage {
	forwarded := mailOf("Inner é中").text(propBody, "Inside.\r\n").attach(0, newStorage().text(propLongName, "deep.pdf").binary(propData, []byte("12345")))
	return mailOf("Hello  there").
		text(propBody, "First\r\nparagraph\r\n\r\n> quoted\r\n> text\r\n\r\nLast").
		binary(propHTML, []byte("<p>not this")).
		recipient(0, 1, "Bob", "bob@example.org").recipient(1, 1, "c@example.org", "c@example.org").recipient(2, 2, "Dora", "").recipient(3, 3, "Hidden", "h@example.org").
		attach(0, newStorage().narrow(propFileName, "A.TXT").text(propMIME, "Text/Plain").binary(propData, []byte("abc"))).
		attach(1, holds(forwarded)).
		attach(2, newStorage())
}

func TestMessage(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full().pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	want := "heading 1: Hello there\nparagraph: First⏎paragraph\nquote: quoted⏎text\nparagraph: Last\n" +
		"heading 2: Inner é中\nparagraph: From: Ann B. <ann@example.org>⏎Date: Mon, 06 May 2024 07:08:09 +0000\nparagraph: Inside.\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	want = "header: To: Bob <bob@example.org>, c@example.org⏎Cc: Dora\nannotation: Attachment: A.TXT (text/plain, 3 bytes)\n" +
		"annotation: Attachment: deep.pdf (application/octet-stream, 5 bytes)\nannotation: Attachment: unnamed (application/octet-stream, 0 bytes)\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if m := d.Meta; m.Title != "Hello there" || m.Author != "Ann B." || m.Created == nil || !m.Created.Equal(sent) || len(d.Warnings) > 0 {
		t.Errorf("%+v, warnings %q", m, d.Warnings)
	}
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	m := full().attach(9, newStorage().text(propContentID, "logo").short(propHidden, typeBool, 1).binary(propData, []byte("shown")))
	raw := m.pack(t)
	var got []string
	err := Unpack(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, func(f mail.File) error {
		data, cut, err := f.Read(4)
		got = append(got, fmt.Sprintf("%s %s %s %q %v", f.Path, f.Name, f.MediaType, data, cut))
		return err
	})
	want := []string{
		`__attach_version1.0_#00000000 A.TXT text/plain "abc" false`,
		`__attach_version1.0_#00000001/__substg1.0_3701000D/__attach_version1.0_#00000000 deep.pdf application/octet-stream "1234" true`,
		`__attach_version1.0_#00000002  application/octet-stream "" false`,
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, got %q", err, got)
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	rich := `{\rtf1\ansi\ansicpg1252 Rich \b text\b0\par second}`
	for name, c := range map[string]struct {
		m    *storage
		want string
	}{
		"narrow text in its codepage": {newStorage().short(propCodepage, typeNumber, 1251).narrow(propSubject, "\xcf\xf0").narrow(propBody, "\xcf"), "heading 1: Пр\nparagraph: П\n"},
		"HTML with a codepage":        {newStorage().text(propBody, " \r\n").short(propPageCode, typeNumber, 1252).binary(propHTML, []byte("<p>caf\xe9<p>two")), "paragraph: café\nparagraph: two\n"},
		"HTML that is text":           {newStorage().text(propHTML, "<p>é中"), "paragraph: é中\n"},
		"RTF":                         {newStorage().binary(propRTF, plainRTF(rich)), "paragraph: Rich text\nparagraph: second\n"},
		"packed RTF":                  {newStorage().binary(propRTF, packed()), "paragraph: hello world\n"},
		"on behalf of":                {newStorage().text(propBehalfName, "Boss").text(propSubject, "s"), "heading 1: s\n"},
		"RTF without text":            {newStorage().text(propSubject, "s").binary(propRTF, plainRTF(`{\rtf1 }`)), "heading 1: s\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, c.m.pack(t), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings) > 0 {
				t.Errorf("warnings %q", d.Warnings)
			}
		})
	}
}

// plainRTF is a body in RTF that isn't packed.
func plainRTF(s string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(s)+12))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return append(append(b, "MELA\x00\x00\x00\x00"...), s...)
}

// packed is the first example of [MS-OXRTFCP], 4.1.
func packed() []byte {
	return []byte("\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3\x20hel\x09\x00\x20bw\x05\xb0ld}\x0a\x80\x0f\xa0")
}

func TestUnpackRTF(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ packed, want string }{
		"the standard's first example":  {string(packed()), "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"},
		"the standard's second example": {"\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e\x7d\x01\x0e\xb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"},
		"cut short":                     {"\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WX", "{\\rtf1 WX"},
		"of another kind":               {"\x1a\x00\x00\x00\x1c\x00\x00\x00JUNK\xe2\xd4\x4b\x51", ""},
		"nothing":                       {"", ""},
	} {
		if raw, cut := unpackRTF([]byte(c.packed)); string(raw) != c.want || cut {
			t.Errorf("%s: %q", name, raw)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	nested := mailOf("x")
	for range 130 {
		nested = mailOf("x").attach(0, holds(nested))
	}
	many := mailOf("x")
	for i := range 5 {
		many.attach(i, newStorage())
	}
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"nothing in it":    {newStorage().pack(t), block.Options{}, block.CodeNoText},
		"only attachments": {newStorage().attach(0, newStorage()).pack(t), block.Options{}, block.CodeNoText},
		"encrypted":        {newStorage().text(propClass, "IPM.Note.SMIME").attach(0, newStorage()).pack(t), block.Options{}, block.CodeEncrypted},
		"deep":             {nested.pack(t), block.Options{}, block.CodeBomb},
		"too deep":         {mailOf("x").attach(0, holds(mailOf("y"))).pack(t), block.Options{MaxNesting: 1}, block.CodeBomb},
		"many":             {many.pack(t), block.Options{MaxParts: 4}, block.CodeBomb},
		"not one":          {[]byte("PK\x03\x04"), block.Options{}, block.CodeCorrupt},
		"cut short":        {full().pack(t)[:900], block.Options{}, block.CodeCorrupt},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full().pack(t)
	gone := errors.New("reader gone")
	for after := range 13 {
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
	f.Add(full().pack(f))
	f.Add(newStorage().binary(propRTF, packed()).pack(f))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}

// FuzzBodies mutates what stands in the streams, which hardly any mutant of the
// container reaches.
func FuzzBodies(f *testing.F) {
	f.Add("text", []byte("<p>x"), packed(), 1252, strings.Repeat("x", 16))
	f.Fuzz(func(t *testing.T, text string, page, rich []byte, codepage int, table string) {
		s := newStorage().text(propSubject, text).binary(propHTML, page).binary(propRTF, rich).short(propPageCode, typeNumber, uint64(codepage)).short(propCodepage, typeNumber, uint64(codepage)).narrow(propSenderName, text)
		s.table = append(s.table, table...)
		d, err := blocktest.Try(t, Parse, s.pack(t), block.Options{})
		blocktest.Check(t, d, err)
	})
}
