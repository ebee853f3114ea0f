// Package eml turns mails (RFC 5322 with MIME) into blocks: the subject as a
// heading, the body, messages that are attached as sections of their own.
// Recipients and the list of attachments stand apart; sender and date are
// metadata. What a mail server returns with its report counts as attached.
//
// Mails are often malformed, and all that can be read of one counts. So the
// header, the parts, the transfer encodings and the charsets are read by rules
// of this package, which refuse nothing: a line that is no field is passed
// over, a part without an end ends with the part around it. A first pass over
// the file finds where the parts are; only those that are wanted are read, one
// at a time.
package eml

import (
	"cmp"
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
	"github.com/docsvc/docsvc/pkg/extract/mail"
)

// Version changes whenever the output for some file changes.
const Version = "2"

const (
	// maxText bounds one text or message as it is held, in bytes, before and after decoding.
	maxText = mail.MaxText
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	src, err := open(f, size)
	if err != nil {
		return err
	}
	progress := block.NewProgress(sink, src.size)
	m := &message{Writer: mail.Writer{Sink: sink}, ctx: ctx, limits: limitsOf(o)}
	x := &indexer{ctx: ctx, src: src, limits: m.limits, at: progress.At}
	root, err := x.index(0)
	if err != nil {
		return err
	}
	if err := sink.Meta(root.head().Metadata()); err != nil {
		return err
	}
	if err := m.read(src, root, 1); err != nil {
		return err
	}
	if err := m.Verdict(); err != nil {
		return err
	}
	return progress.Finish()
}

// source is what a mail is read from.
type source struct {
	r    io.ReaderAt
	size int64
	path string // of the part that it was, before those of the parts in it
}

// place names a part: by where its body begins.
func (s source) place(p *part) string { return s.path + strconv.FormatInt(p.start, 10) }

// open looks whether a mail was saved as UTF-16, which no mail is when it is
// sent, and decodes it then.
func open(f io.ReaderAt, size int64) (source, error) {
	head := make([]byte, min(size, 4096))
	if _, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return source{}, err
	}
	head = head[:len(head)-len(head)%4]
	enc := charset.FindBytes(head)
	if !strings.HasPrefix(enc.Name, "utf-16") && !strings.HasPrefix(enc.Name, "utf-32") {
		return source{r: f, size: size}, nil
	}
	raw, err := io.ReadAll(io.LimitReader(enc.Reader(io.NewSectionReader(f, 0, size)), maxText+1))
	if err != nil {
		return source{}, err
	}
	if len(raw) > maxText {
		return source{}, block.Errorf(block.CodeTooLarge, "This mail is saved as %s and has more than %d MiB. Save it as it was sent.", enc.Name, maxText>>20)
	}
	return source{r: strings.NewReader(string(raw)), size: int64(len(raw))}, nil
}

// limits of one mail.
type limits struct {
	parts   int
	nesting int
}

func limitsOf(o block.Options) limits {
	return limits{
		parts:   cmp.Or(max(o.MaxParts, 0), mail.MaxParts),
		nesting: min(cmp.Or(max(o.MaxNesting, 0), mail.MaxNesting), mail.MaxNesting),
	}
}

// message is one file being parsed.
type message struct {
	mail.Writer
	ctx     context.Context
	limits  limits
	decoded int                   // messages that had to be decoded to be read
	take    func(mail.File) error // takes attachments; nil when they are only listed
}

// read reports one message: the mail itself at level 1, those attached to it
// below.
func (m *message) read(src source, p *part, level int) error {
	if level > m.limits.nesting {
		return mail.TooDeep(m.limits.nesting)
	}
	if err := m.Begin(p.head(), level); err != nil {
		return err
	}
	return m.content(src, p, level)
}

// attached lists what isn't part of the text.
func (m *message) attached(src source, p *part) error {
	if d, _ := p.disposition(); m.take != nil && d != "attachment" && strings.HasPrefix(p.mediaType, "image/") && p.field("content-id") != "" {
		return nil // a picture that the text shows
	}
	if m.take != nil {
		return m.take(mail.File{Path: src.place(p), Name: p.name(), MediaType: p.mediaType, Read: func(limit int64) ([]byte, bool, error) {
			encoded := limit
			switch p.encoding() {
			case "base64":
				encoded = limit/2*3 + 4 // four bytes for three, and line ends
			case "quoted-printable":
				encoded = 3 * limit
			}
			raw, cut, err := p.read(src, encoded)
			return raw[:min(int64(len(raw)), limit)], cut || int64(len(raw)) > limit, err
		}})
	}
	return m.Attached(p.name(), p.mediaType, p.decodedSize())
}

// Unpack hands the attachments of a mail to take, in the order in which Parse
// lists them. What take doesn't read costs nothing.
func Unpack(ctx context.Context, f *os.File, size int64, o block.Options, take func(mail.File) error) error {
	src, err := open(f, size)
	if err != nil {
		return err
	}
	m := &message{Writer: mail.Writer{Sink: mail.Nowhere{}}, ctx: ctx, limits: limitsOf(o), take: take}
	root, err := (&indexer{ctx: ctx, src: src, limits: m.limits}).index(0)
	if err != nil {
		return err
	}
	return m.read(src, root, 1)
}
