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
}

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
	decoded int // messages that had to be decoded to be read
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
func (m *message) attached(p *part) error {
	return m.Attached(p.name(), p.mediaType, p.decodedSize())
}
