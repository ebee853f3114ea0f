// Package mail writes messages as blocks, whatever format they were read from:
// the subject as a heading, the body, messages that are attached as sections of
// their own. Recipients and the list of attachments stand apart; sender and date
// are metadata, or stand at the top of a message that is attached.
package mail

import (
	"context"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/html"
)

const (
	// MaxText bounds one text or message as it is held, in bytes.
	MaxText = 16 << 20
	// MaxNesting bounds how deep parts and messages stand in one another; mails that were forwarded
	// over and over stay below 30.
	MaxNesting = 100
	// MaxParts bounds the parts of a mail when the options don't say.
	MaxParts = 10_000
)

// Head is what a message says of itself. Texts are decoded and on one line.
type Head struct {
	Subject  string
	From     string
	To       string
	Cc       string
	Date     string     // as it is shown
	Sent     *time.Time // nil when that can't be read
	Language string     // BCP 47, "" when it isn't said
}

// Metadata is what the head says for the whole document.
func (h Head) Metadata() block.Metadata {
	m := block.Metadata{Title: h.Subject, Author: h.From, Created: h.Sent, Language: h.Language}
	if a, err := netmail.ParseAddress(h.From); err == nil && a.Name != "" {
		m.Author = a.Name
	}
	return m
}

// Writer gives one mail to a sink.
type Writer struct {
	Sink block.Sink

	Blocks      int  // of the body, given to the sink
	Attachments int  // listed
	Encrypted   bool // some part can't be read without a key
	cut         bool // a text was longer than MaxText
}

// Begin reports the head of a message: the mail itself at level 1, those
// attached to it below.
func (w *Writer) Begin(h Head, level int) error {
	if err := w.Put(block.Block{Kind: block.Heading, Level: min(level, 6), Text: h.Subject}); err != nil {
		return err
	}
	if level > 1 {
		if err := w.Put(block.Block{Kind: block.Paragraph, Text: fields("From", h.From, "Date", h.Date)}); err != nil {
			return err
		}
	}
	if lines := fields("To", h.To, "Cc", h.Cc); lines != "" {
		return w.Sink.Aside(block.Block{Kind: block.Header, Text: lines})
	}
	return nil
}

// fields are lines of names and values, for the values that there are.
func fields(pairs ...string) string {
	var lines []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			lines = append(lines, pairs[i]+": "+pairs[i+1])
		}
	}
	return strings.Join(lines, "\n")
}

// Put gives a block of the body to the sink, when it has text.
func (w *Writer) Put(b block.Block) error {
	if b.Kind != block.Table && b.Text == "" {
		return nil
	}
	w.Blocks++
	return w.Sink.Block(b)
}

// Page reports a text in HTML.
func (w *Writer) Page(ctx context.Context, raw []byte) error { return html.Fragment(ctx, raw, w.Put) }

// Attached lists what isn't part of the text. size is in bytes.
func (w *Writer) Attached(name, mediaType string, size int64) error {
	w.Attachments++
	if name == "" {
		name = "unnamed"
	}
	return w.Sink.Aside(block.Block{Kind: block.Annotation, Text: block.Clean(fmt.Sprintf("Attachment: %s (%s, %d bytes)", name, mediaType, size))})
}

// Truncated notes once that some of the text is missing.
func (w *Writer) Truncated() error {
	if w.cut {
		return nil
	}
	w.cut = true
	return w.Sink.Warn(block.TextIncomplete + fmt.Sprintf("the mail holds a text of more than %d MiB; what comes after that was not read", MaxText>>20))
}

// TooMany refuses a mail with more parts than are taken.
func TooMany(parts int) error {
	return block.Errorf(block.CodeBomb, "This mail was refused: it has more than %d parts.", parts)
}

// TooDeep refuses a mail whose parts stand deeper in one another than is read.
func TooDeep(levels int) error {
	return block.Errorf(block.CodeBomb, "This mail was refused: its parts are nested more than %d levels deep.", levels)
}

// File is an attachment that is taken out of a mail.
type File struct {
	Path      string // where it stands in the mail: the same whenever that is read
	Name      string // "" when it has none
	MediaType string // as it was declared
	// Read gives its bytes; cut tells that there are more than limit.
	Read func(limit int64) (data []byte, cut bool, err error)
}

// Verdict ends a mail that is read: nil when there is text.
func (w *Writer) Verdict() error {
	switch {
	case w.Blocks > 0:
		return nil
	case w.Encrypted:
		return block.Errorf(block.CodeEncrypted, "This mail is encrypted. Save it decrypted in the mail program that can read it.")
	case w.Attachments > 0:
		return block.Errorf(block.CodeNoText, "This mail has no text, only %d attachments. Send them one by one.", w.Attachments)
	}
	return block.Errorf(block.CodeNoText, "This mail has no text.")
}

// Nowhere is a sink for whoever wants the attachments only.
type Nowhere struct{}

// Meta implements block.Sink.
func (Nowhere) Meta(block.Metadata) error { return nil }

// Block implements block.Sink.
func (Nowhere) Block(block.Block) error { return nil }

// Aside implements block.Sink.
func (Nowhere) Aside(block.Block) error { return nil }

// PageDone implements block.Sink.
func (Nowhere) PageDone(int, int) error { return nil }

// Warn implements block.Sink.
func (Nowhere) Warn(string) error { return nil }

// PageError implements block.Sink.
func (Nowhere) PageError(int, string) error { return nil }
