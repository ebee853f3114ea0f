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
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// maxParts bounds the parts of a mail when the options don't say.
	maxParts = 10_000
	// maxNesting bounds how deep parts and messages stand in one another; mails that were forwarded
	// over and over stay below 30.
	maxNesting = 100
	// maxText bounds one text or message as it is held, in bytes, before and after decoding.
	maxText = 16 << 20
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	src, err := open(f, size)
	if err != nil {
		return err
	}
	progress := block.NewProgress(sink, src.size)
	m := &mail{ctx: ctx, sink: sink, limits: limitsOf(o)}
	x := &indexer{ctx: ctx, src: src, limits: m.limits, at: progress.At}
	root, err := x.index(0)
	if err != nil {
		return err
	}
	if err := sink.Meta(root.metadata()); err != nil {
		return err
	}
	if err := m.message(src, root, 1); err != nil {
		return err
	}
	switch {
	case m.blocks > 0:
	case m.encrypted:
		return block.Errorf(block.CodeEncrypted, "This mail is encrypted. Save it decrypted in the mail program that can read it.")
	case m.attachments > 0:
		return block.Errorf(block.CodeNoText, "This mail has no text, only %d attachments. Send them one by one.", m.attachments)
	default:
		return block.Errorf(block.CodeNoText, "This mail has no text.")
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
		parts:   cmp.Or(max(o.MaxParts, 0), maxParts),
		nesting: min(cmp.Or(max(o.MaxNesting, 0), maxNesting), maxNesting),
	}
}

func (l limits) tooMany() error {
	return block.Errorf(block.CodeBomb, "This mail was refused: it has more than %d parts.", l.parts)
}

func (l limits) tooDeep() error {
	return block.Errorf(block.CodeBomb, "This mail was refused: its parts are nested more than %d levels deep.", l.nesting)
}

// mail is one file being parsed.
type mail struct {
	ctx    context.Context
	sink   block.Sink
	limits limits

	blocks      int // of the body, given to the sink
	attachments int
	encrypted   bool // some part can't be read without a key
	cut         bool // a text was longer than maxText
	decoded     int  // messages that had to be decoded to be read
}

// message reports one message: the mail itself at level 1, those attached to it
// below.
func (m *mail) message(src source, p *part, level int) error {
	if level > m.limits.nesting {
		return m.limits.tooDeep()
	}
	if subject := p.field("subject"); subject != "" {
		if err := m.put(block.Block{Kind: block.Heading, Level: min(level, 6), Text: subject}); err != nil {
			return err
		}
	}
	if level > 1 {
		if err := m.put(block.Block{Kind: block.Paragraph, Text: p.origin()}); err != nil {
			return err
		}
	}
	if lines := p.recipients(); lines != "" {
		if err := m.sink.Aside(block.Block{Kind: block.Header, Text: lines}); err != nil {
			return err
		}
	}
	return m.content(src, p, level)
}

func (m *mail) put(b block.Block) error {
	if b.Kind != block.Table && b.Text == "" {
		return nil
	}
	m.blocks++
	return m.sink.Block(b)
}

// attached lists what isn't part of the text.
func (m *mail) attached(p *part) error {
	m.attachments++
	name := p.name()
	if name == "" {
		name = "unnamed"
	}
	return m.sink.Aside(block.Block{Kind: block.Annotation, Text: block.Clean(fmt.Sprintf("Attachment: %s (%s, %d bytes)", name, p.mediaType, p.decodedSize()))})
}

// truncated notes once that some of the text is missing.
func (m *mail) truncated() error {
	if m.cut {
		return nil
	}
	m.cut = true
	return m.sink.Warn(block.TextIncomplete + fmt.Sprintf("the mail holds a text of more than %d MiB; what comes after that was not read", maxText>>20))
}
