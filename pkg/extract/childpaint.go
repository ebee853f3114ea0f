package extract

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// paintMessage asks for images of pages of a document that was read before.
type paintMessage struct {
	Format    string         `json:"format"`
	Password  string         `json:"password,omitempty"`
	MaxPages  int            `json:"max_pages"`
	MaxPixels int            `json:"max_pixels"`
	Painting  block.Painting `json:"painting"`
}

// imageMessage begins an image: gray, a byte a pixel, or a PNG file.
type imageMessage struct {
	Page   int   `json:"page"`
	DPI    int   `json:"dpi"`
	Width  int   `json:"width"`
	Height int   `json:"height"`
	Size   int64 `json:"size"` // bytes that follow
}

func (s *childServer) handlePaint(ctx context.Context, r request) error {
	var m paintMessage
	if err := decode(r.t, r.payload, &m); err != nil {
		return err
	}
	if r.file == nil {
		return fmt.Errorf("%w: pages to draw without a descriptor", errFrame)
	}
	if err := s.out.send(frameAccepted, nil); err != nil {
		return err
	}
	err := s.paint(ctx, m, r.file)
	returnMemory()
	return s.end(err)
}

func (s *childServer) paint(ctx context.Context, m paintMessage, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	for _, format := range s.formats {
		if format.name != m.Format || format.paint == nil {
			continue
		}
		if err := s.start(ctx, format); err != nil {
			return err
		}
		o := s.options()
		o.Password, o.MaxPages, o.MaxPixels = m.Password, m.MaxPages, m.MaxPixels
		return format.paint(ctx, f, info.Size(), o, m.Painting, &frameCanvas{out: s.out, shown: m.Painting.Side > 0})
	}
	return block.Errorf(block.CodeUnsupported, "Pages of %s documents are not drawn.", m.Format)
}

// frameCanvas is the block.Canvas of a child.
type frameCanvas struct {
	out   *frameWriter
	shown bool // as PNG files
}

func (c *frameCanvas) PageBegins(n int) error { return c.out.send(framePage, n) }

func (c *frameCanvas) PageError(n int, text string) error {
	return c.out.send(framePageError, PageError{Page: n, Message: text})
}

func (c *frameCanvas) Page(n, dpi int, im image.Image) error {
	if c.shown {
		var file bytes.Buffer
		if err := png.Encode(&file, im); err != nil {
			return fmt.Errorf("encoding a page: %w", err)
		}
		b := im.Bounds()
		return c.send(imageMessage{Page: n, DPI: dpi, Width: b.Dx(), Height: b.Dy()}, file.Bytes())
	}
	g, ok := im.(*image.Gray)
	if !ok || g.Stride != g.Rect.Dx() {
		return fmt.Errorf("a page was drawn as %T", im)
	}
	return c.send(imageMessage{Page: n, DPI: dpi, Width: g.Rect.Dx(), Height: g.Rect.Dy()}, g.Pix[:g.Rect.Dx()*g.Rect.Dy()])
}

// send sends an image in pieces. The parent takes them as fast as it uses them.
func (c *frameCanvas) send(m imageMessage, data []byte) error {
	m.Size = int64(len(data))
	if err := c.out.send(frameImage, m); err != nil {
		return err
	}
	for len(data) > 0 {
		n := min(len(data), maxPiece)
		if err := c.out.sendBytes(frameImageData, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}
