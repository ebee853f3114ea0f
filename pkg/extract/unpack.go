package extract

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// maxPath bounds the path of a file within a document, in bytes.
const maxPath = 8 << 10

// Unpacking bounds the files that are taken out of one document.
type Unpacking struct {
	Images   bool // images, too
	MaxFiles int
	MaxSize  int64 // of one, in bytes
	MaxTotal int64 // of all
}

// Carried is a file that a document carries: an attachment.
type Carried struct {
	Path      string // where it stands in the document: the same whenever that is read
	Name      string // "" when it has none
	MediaType string // as it was declared
	Data      []byte // valid until the call that takes it returns
}

// Carries reports whether documents of a format may carry files.
func Carries(format string) bool { return unpacker(format) != nil }

// Unpack takes the files out of a document that was read before as one of a
// format, and hands those that can be read themselves to take, one after the
// other. An error of take ends it and is returned. The warnings say what was left out; what
// is wrong with the document itself, or with the process that reads it, is one of them, too.
// The error is take's, ctx's cause, or says why no child could be asked.
func (p *Pool) Unpack(ctx context.Context, r Request, format string, u Unpacking, take func(Carried) error) (warnings []string, err error) {
	if !Carries(format) {
		return nil, nil
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	limited, cancel := context.WithTimeoutCause(ctx, p.o.Timeout, p.timeoutError())
	defer cancel()
	c, err := p.lease(limited)
	if err != nil {
		return nil, err
	}
	to := &crate{u: u, hand: take}
	err = p.converse(limited, c, to, nil, frameUnpack, unpackMessage{
		Format: format, Images: u.Images, MaxFiles: u.MaxFiles, MaxSize: u.MaxSize, MaxTotal: u.MaxTotal, MaxNesting: p.o.MaxNesting, MaxParts: p.o.MaxParts,
	}, r.File)
	p.giveBack(c)
	var died *deathError
	var coded *Error
	switch {
	case to.failed != nil:
		return to.warnings, to.failed
	case ctx.Err() != nil:
		return to.warnings, context.Cause(ctx)
	case errors.As(err, &died) && died.accepted:
		err = died.coded()
	}
	if errors.As(err, &coded) {
		return append(to.warnings, note("some attachments did not become documents of their own: "+coded.Message)), nil
	}
	return to.warnings, err
}

// crate takes the files that a child sends. It trusts nothing in them.
type crate struct {
	u        Unpacking
	hand     func(Carried) error
	failed   error // hand's
	accepted bool
	warnings []string

	files int
	total int64
	file  fileMessage // the one that is coming
	data  []byte
}

// errTaken ends a conversation whose files are not wanted any more.
var errTaken = errors.New("the files are not taken any more")

func (c *crate) wasAccepted() bool { return c.accepted }

// take implements taker.
func (c *crate) take(t frameType, payload []byte, _ func(Progress)) (*finished, error) {
	if c.accepted == (t == frameAccepted) {
		return nil, fmt.Errorf("%w: %q out of turn", errFrame, t)
	}
	switch t {
	case frameAccepted:
		c.accepted = true
		return nil, nil
	case frameFile:
		return nil, c.begin(payload)
	case frameFileData:
		return nil, c.piece(payload)
	case frameProgress:
		return nil, nil
	case frameWarning:
		var text string
		if err := decode(t, payload, &text); err != nil {
			return nil, err
		}
		if len(c.warnings) < maxWarnings {
			c.warnings = append(c.warnings, note(text))
		}
		return nil, nil
	case frameDone:
		return &finished{}, nil
	case frameError:
		var e errorMessage
		if err := decode(t, payload, &e); err != nil {
			return nil, err
		}
		e.Message = note(e.Message)
		return &finished{err: &e}, nil
	}
	return nil, fmt.Errorf("%w: type %q", errFrame, t)
}

func (c *crate) begin(payload []byte) error {
	var m fileMessage
	if err := decode(frameFile, payload, &m); err != nil {
		return err
	}
	c.files++
	c.total += m.Size
	if len(c.data) > 0 || m.Size < 1 || m.Size > c.u.MaxSize || c.total > c.u.MaxTotal || c.files > c.u.MaxFiles || m.Path == "" || len(m.Path) > maxPath {
		return fmt.Errorf("%w: a file of %d bytes", errFrame, m.Size)
	}
	m.Name = strings.Join(strings.Fields(block.Clean(m.Name)), " ")
	c.file = m
	return nil
}

func (c *crate) piece(payload []byte) error {
	if len(payload) == 0 || int64(len(c.data)+len(payload)) > c.file.Size {
		return fmt.Errorf("%w: more of a file than was announced", errFrame)
	}
	if c.data = append(c.data, payload...); int64(len(c.data)) < c.file.Size {
		return nil
	}
	err := c.hand(Carried{Path: c.file.Path, Name: c.file.Name, MediaType: note(c.file.MediaType), Data: c.data})
	c.data, c.file = nil, fileMessage{}
	if err != nil {
		c.failed = err
		return errTaken
	}
	return nil
}
