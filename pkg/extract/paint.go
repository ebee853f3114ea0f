package extract

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ocr"
)

// bitmap is a page as a child drew it.
type bitmap struct {
	page, dpi int
	gray      image.Gray
}

func (b *bitmap) reader() io.Reader { return ocr.Bitmap(&b.gray) }

// easel takes the images that a child draws. It trusts nothing in them: the
// child has read a stranger's file.
type easel struct {
	most     int64 // bytes that an image may have
	accepted bool
	begun    int // page that the child said it was about to draw; 0 for none
	// page takes an image when all of it is there; data is valid until it returns. Its error ends
	// the conversation and must be coded or the context's.
	page   func(m imageMessage, data []byte) error
	failed func(PageError) // takes pages that can't be drawn

	image imageMessage
	data  []byte
}

func (e *easel) wasAccepted() bool { return e.accepted }

// take implements taker.
func (e *easel) take(t frameType, payload []byte, _ func(Progress)) (*finished, error) {
	if e.accepted == (t == frameAccepted) {
		return nil, fmt.Errorf("%w: %q out of turn", errFrame, t)
	}
	switch t {
	case frameAccepted:
		e.accepted = true
		return nil, nil
	case framePage:
		return nil, decode(t, payload, &e.begun)
	case framePageError:
		var failed PageError
		if err := decode(t, payload, &failed); err != nil {
			return nil, err
		}
		failed.Message = note(failed.Message)
		e.failed(failed)
		return nil, nil
	case frameImage:
		return nil, e.begin(payload)
	case frameImageData:
		return nil, e.piece(payload)
	case frameProgress:
		return nil, nil
	case frameDone:
		return &finished{}, nil
	case frameError:
		var failed errorMessage
		if err := decode(t, payload, &failed); err != nil {
			return nil, err
		}
		failed.Message = note(failed.Message)
		return &finished{err: &failed}, nil
	default:
		return nil, fmt.Errorf("%w: type %q", errFrame, t)
	}
}

func (e *easel) begin(payload []byte) error {
	var m imageMessage
	if err := decode(frameImage, payload, &m); err != nil {
		return err
	}
	if len(e.data) > 0 || m.Width < 1 || m.Height < 1 || m.Size < 1 || m.Size > e.most {
		return fmt.Errorf("%w: an image of %d x %d pixels and %d bytes", errFrame, m.Width, m.Height, m.Size)
	}
	e.image = m
	return nil
}

func (e *easel) piece(payload []byte) error {
	if len(payload) == 0 || int64(len(e.data)+len(payload)) > e.image.Size {
		return fmt.Errorf("%w: more of an image than was announced", errFrame)
	}
	if e.data == nil {
		e.data = make([]byte, 0, e.image.Size)
	}
	if e.data = append(e.data, payload...); int64(len(e.data)) < e.image.Size {
		return nil
	}
	err := e.page(e.image, e.data)
	e.data, e.image = e.data[:0], imageMessage{}
	if int64(cap(e.data)) > e.most/4 {
		e.data = nil
	}
	return err
}

// paint has a child draw pages of a document.
func (p *Pool) paint(ctx context.Context, r Request, format string, painting block.Painting, to *easel) error {
	for try := 1; ; try++ {
		c, err := p.lease(ctx)
		if err != nil {
			return err
		}
		to.accepted, to.begun, to.data = false, 0, nil
		err = p.converse(ctx, c, to, nil, framePaint, paintMessage{
			Format: format, Password: r.Password, MaxPages: p.o.MaxPages, MaxPixels: p.o.MaxPixels, Painting: painting,
		}, r.File)
		p.giveBack(c)
		var cold *coldError
		if !errors.As(err, &cold) || try > maxCold {
			return err
		}
		if err := p.compile(ctx, cold, nil); err != nil {
			return err
		}
	}
}

// Bounds on a thumbnail, which is made in seconds or not at all.
const (
	thumbnailSide  = 320
	maxThumbnail   = 1 << 20 // bytes
	paintTimeout   = 15 * time.Second
	thumbnailPage  = 1
	thumbnailPixel = 36_000_000 // of an image that is reduced to one
)

// Thumbnail gives the first page of a document that was read before as a PNG
// file of at most 320 pixels a side; nil when documents of the format have no
// look, or this one's page can't be drawn. The error is ctx's cause, or says
// why no child could be asked, or what became of it.
func (p *Pool) Thumbnail(ctx context.Context, r Request, format string) ([]byte, error) {
	if !paints(format) {
		return nil, nil
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, paintTimeout)
	defer cancel()
	var file []byte
	to := &easel{most: maxThumbnail, failed: func(PageError) {}, page: func(m imageMessage, data []byte) error {
		if m.Width <= thumbnailSide && m.Height <= thumbnailSide {
			file = append([]byte(nil), data...)
		}
		return nil
	}}
	painting := block.Painting{Pages: []int{thumbnailPage}, Side: thumbnailSide, MaxPixels: min(p.o.MaxPixels, thumbnailPixel)}
	if err := p.paint(ctx, r, format, painting, to); err != nil {
		return nil, err
	}
	return file, nil
}

// paints reports whether pages of a format can be drawn.
func paints(name string) bool {
	for _, f := range registry() {
		if f.name == name {
			return f.paint != nil
		}
	}
	return false
}
