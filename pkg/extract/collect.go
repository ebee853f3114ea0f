package extract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds on what one document may add up to beside its text.
const (
	blockCost     = 64  // bytes counted for a block or a cell beside its text
	maxWarnings   = 100 // more are counted, not kept
	maxNoteLength = 500 // bytes of a warning or page error
)

// collector puts the frames of one document together. It trusts nothing in
// them: the child has parsed a stranger's file.
type collector struct {
	doc      Document
	size     int64 // bytes taken so far
	max      int64
	maxPages int
	accepted bool
	aid      *assistance // of the child that has the document; nil for none
	begun    int         // page that the child said it was about to read; 0 for none
	pictures []int       // pages without characters, in the order they came
	dropped  int         // warnings not kept
}

// finished is what ends a document's frames.
type finished struct {
	err *Error // nil after done
}

func (c *collector) wasAccepted() bool { return c.accepted }

// take implements taker for a job.
func (c *collector) take(t frameType, payload []byte, progress func(Progress)) (*finished, error) {
	if c.accepted == (t == frameAccepted) {
		return nil, fmt.Errorf("%w: %q out of turn", errFrame, t)
	}
	switch t {
	case frameAccepted:
		c.accepted = true
		return nil, nil
	case frameFormat:
		return nil, c.format(payload)
	case frameMeta:
		return nil, decode(t, payload, &c.doc.Meta)
	case frameBlocks:
		return nil, c.blocks(t, payload, &c.doc.Blocks)
	case frameAsides:
		return nil, c.blocks(t, payload, &c.doc.Asides)
	case frameWarning:
		var text string
		if err := decode(t, payload, &text); err != nil {
			return nil, err
		}
		c.warn(text)
		return nil, nil
	case framePageError:
		return nil, c.pageError(payload)
	case framePage:
		return nil, decode(t, payload, &c.begun)
	case framePicture:
		return nil, c.picture(payload)
	case frameProgress:
		return nil, c.progress(payload, progress)
	case frameWanted:
		if c.aid != nil {
			c.aid.want()
		}
		return nil, nil
	case frameOrder:
		if c.aid == nil {
			return nil, fmt.Errorf("%w: %q for nobody", errFrame, t)
		}
		return nil, c.aid.order(payload)
	case frameDone:
		return &finished{}, nil
	case frameError:
		var e errorMessage
		if err := decode(t, payload, &e); err != nil {
			return nil, err
		}
		e.Message = note(e.Message)
		return &finished{err: &e}, nil
	default:
		return nil, fmt.Errorf("%w: type %q", errFrame, t)
	}
}

func (c *collector) progress(payload []byte, tell func(Progress)) error {
	var m progressMessage
	if err := decode(frameProgress, payload, &m); err != nil {
		return err
	}
	if tell != nil {
		m.Page = max(0, m.Page-len(c.pictures)) // these are not read yet
		tell(Progress(m))
	}
	return nil
}

func (c *collector) format(payload []byte) error {
	var m formatMessage
	if err := decode(frameFormat, payload, &m); err != nil {
		return err
	}
	c.doc.Format, c.doc.MIME, c.doc.Version = m.Format, m.MIME, m.Format+"/"+m.Version
	for _, w := range m.Warnings {
		c.warn(w)
	}
	return nil
}

func (c *collector) blocks(t frameType, payload []byte, to *[]Block) error {
	var blocks []Block
	if err := decode(t, payload, &blocks); err != nil {
		return err
	}
	for i := range blocks {
		b := &blocks[i]
		b.Text, b.Label = block.Clean(b.Text), block.Clean(b.Label)
		c.size += blockCost + int64(len(b.Text)+len(b.Label))
		for _, row := range b.Rows {
			for j := range row {
				row[j] = block.Clean(row[j])
				c.size += blockCost + int64(len(row[j]))
			}
		}
		if c.size > c.max {
			return tooMuchText(c.max)
		}
		if last := len(*to) - 1; b.Kind == block.Table && b.Continues && last >= 0 && (*to)[last].Kind == block.Table {
			(*to)[last].Rows = append((*to)[last].Rows, b.Rows...)
			continue
		}
		*to = append(*to, *b)
	}
	return nil
}

func (c *collector) pageError(payload []byte) error {
	var e PageError
	if err := decode(framePageError, payload, &e); err != nil {
		return err
	}
	if len(c.doc.PageErrors) >= c.maxPages {
		return fmt.Errorf("%w: more page errors than pages", errFrame)
	}
	e.Message = note(e.Message)
	c.doc.PageErrors = append(c.doc.PageErrors, e)
	return nil
}

func (c *collector) picture(payload []byte) error {
	var page int
	if err := decode(framePicture, payload, &page); err != nil {
		return err
	}
	if page < 1 || page > c.maxPages || len(c.pictures) >= c.maxPages {
		return fmt.Errorf("%w: more pictures than pages", errFrame)
	}
	c.pictures = append(c.pictures, page)
	return nil
}

func (c *collector) warn(text string) {
	text = note(text)
	c.doc.Partial = c.doc.Partial || strings.HasPrefix(text, block.TextIncomplete)
	switch {
	case slices.Contains(c.doc.Warnings, text):
	case len(c.doc.Warnings) < maxWarnings:
		c.doc.Warnings = append(c.doc.Warnings, text)
	default:
		c.dropped++
	}
}

// document is what was collected, complete.
func (c *collector) document() *Document {
	d := &c.doc
	if c.dropped > 0 {
		d.Warnings = append(d.Warnings, fmt.Sprintf("and %d more warnings", c.dropped))
	}
	d.Partial = d.Partial || len(d.PageErrors) > 0
	Complete(d)
	return d
}

func tooMuchText(limit int64) *Error {
	return block.Errorf(block.CodeTooLarge,
		"The text of this document is larger than %s, the most that is taken from one document. Split it into smaller documents.", sizeText(limit))
}

// note is a message from a child in a form fit for people and logs: one line, bounded.
func note(s string) string {
	s = strings.Join(strings.Fields(block.Clean(s)), " ")
	if len(s) > maxNoteLength {
		s = strings.ToValidUTF8(s[:maxNoteLength], "") + "…"
	}
	return s
}

func sizeText(n int64) string {
	switch {
	case n >= 1<<30 && n%(1<<30) == 0:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	default:
		return fmt.Sprintf("%d bytes", n)
	}
}
