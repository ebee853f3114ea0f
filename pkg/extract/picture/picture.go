// Package picture reads images: PNG, JPEG, TIFF with any number of pages, GIF,
// BMP and WebP. There is no text in them; Parse says how many pages there are and
// that they are pictures, Paint decodes them for whoever recognises text in them
// or shows them.
//
// Sizes are read from the headers. A picture with more pixels than Options or
// Painting allow, or that would take more memory to decode than the process has,
// is refused before any of it is decoded. Of an animation the first frame counts.
// Cameras say which way up a picture is (EXIF, TIFF); it is turned accordingly.
package picture

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// defaultPixels is the most that a picture may have where nobody says.
const defaultPixels = 64_000_000

// maxRatio is how many times its size an image of too many pixels may expand to,
// at a bit a pixel, before it is taken for a trap.
const maxRatio = 200

// page is one picture of a file, by its header.
type page struct {
	format        string
	width, height int
	cost          int // bytes per pixel that decoding takes
	orientation   int // 1 to 8 as in EXIF; 0 is 1
	dpi           int // 0 when unknown
	ifd           *directory
}

// Parse is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	pages, err := headers(f, size, o.MaxPages)
	if err != nil {
		return err
	}
	if err := sink.Meta(block.Metadata{Pages: len(pages)}); err != nil {
		return err
	}
	noter, _ := sink.(block.PictureNoter)
	refused := 0
	for i, p := range pages {
		n := i + 1
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if bad := p.refusal(size, o.MaxPixels, o.MemoryLimit); bad != nil && len(pages) == 1 {
			return bad
		} else if bad != nil {
			refused++
			if refused == len(pages) {
				return bad
			}
			err = sink.PageError(n, bad.Message)
		} else if noter != nil {
			err = noter.IsPicture(n)
		}
		if err == nil {
			err = sink.PageDone(n, len(pages))
		}
		if err != nil {
			return err
		}
	}
	if noter == nil {
		return block.Errorf(block.CodeNeedsOCR, "This is an image: its text can only be recognised (OCR).")
	}
	return nil
}

// refusal says why a page is not decoded, nil when it is.
func (p page) refusal(size int64, maxPixels int, memory int64) *block.Error {
	most := cmp.Or(maxPixels, defaultPixels)
	pixels := int64(p.width) * int64(p.height)
	switch {
	case p.width <= 0 || p.height <= 0:
		return damaged(p.format)
	case pixels > int64(most) && pixels/8/max(size, 1) > maxRatio:
		return block.Errorf(block.CodeBomb, "This image was refused: it has %d x %d pixels in %d bytes, far more than a picture has room for. If it is real, save it anew with fewer pixels.",
			p.width, p.height, size)
	case pixels > int64(most):
		return block.Errorf(block.CodeTooLarge, "This image has %d x %d pixels, more than the %d million that are taken (extract.max_pixels). Scan it with a lower resolution, or make it smaller.",
			p.width, p.height, most/1_000_000)
	case memory > 0 && pixels*int64(p.cost+1) > memory/5*3:
		return block.Errorf(block.CodeTooLarge, "This image has %d x %d pixels, and decoding them would take more memory than a parser process may use (extract.memory). Make it smaller, or save it as PNG.",
			p.width, p.height)
	}
	return nil
}

func damaged(format string) *block.Error {
	return block.Errorf(block.CodeCorrupt, "This %s image is damaged and can't be decoded. Open it in the program it was made with and save it again.", format)
}

// Paint is a block.Painter.
func Paint(ctx context.Context, f *os.File, size int64, o block.Options, p block.Painting, to block.Canvas) error {
	pages, err := headers(f, size, o.MaxPages)
	if err != nil {
		return err
	}
	for _, n := range p.Pages {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n < 1 || n > len(pages) {
			return fmt.Errorf("there is no page %d of %d", n, len(pages))
		}
		if err := to.PageBegins(n); err != nil {
			return err
		}
		if err := paint(f, size, n, pages[n-1], o, p, to); err != nil {
			return err
		}
	}
	return nil
}

func paint(f io.ReaderAt, size int64, n int, page page, o block.Options, p block.Painting, to block.Canvas) error {
	if bad := page.refusal(size, p.MaxPixels, o.MemoryLimit); bad != nil {
		return to.PageError(n, bad.Message)
	}
	im, err := page.decode(f, size)
	if err != nil {
		why := damaged(page.format).Message
		if unsupported := new(unsupportedError); errors.As(err, &unsupported) {
			why = unsupported.Error()
		}
		return to.PageError(n, why)
	}
	if p.Side > 0 {
		return to.Page(n, 0, upright(reduced(im, p.Side), page.orientation))
	}
	g, times := enlarged(gray(im))
	return to.Page(n, page.dpi*times, upright(g, page.orientation))
}

// unsupportedError is a sentence on what a format may have and isn't read.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string { return e.what }

// decode reads the pixels. The result has exactly the size that the header said.
func (p page) decode(f io.ReaderAt, size int64) (image.Image, error) {
	r := io.NewSectionReader(f, 0, size)
	var im image.Image
	var err error
	switch p.format {
	case "PNG":
		im, err = png.Decode(r)
	case "JPEG":
		im, err = jpeg.Decode(r)
	case "GIF":
		im, err = gif.Decode(r)
	case "BMP":
		im, err = bmp.Decode(r)
	case "WebP":
		im, err = webp.Decode(r)
	default:
		im, err = p.ifd.decode(f, size)
	}
	if err != nil {
		return nil, fmt.Errorf("decoding a %s image: %w", p.format, err)
	}
	if b := im.Bounds(); b.Empty() || b.Dx() > p.width || b.Dy() > p.height {
		return nil, fmt.Errorf("a %s image of %s, which its header says is %d x %d", p.format, b.Size(), p.width, p.height)
	}
	return im, nil
}
