package pdf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"

	"github.com/klippa-app/go-pdfium/enums"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	pointsPerInch = 72
	// defaultPixels is the most that a page is drawn with where nobody says.
	defaultPixels = 36_000_000
	// leastDPI is what a page may be reduced to; one that is larger still is a mistake, or a trap.
	leastDPI = 20
)

// Paint draws pages. It is a block.Painter.
func (r *Reader) Paint(ctx context.Context, f *os.File, size int64, o block.Options, p block.Painting, to block.Canvas) error {
	e, err := r.load(o)
	if err != nil {
		return err
	}
	// Pixels are no sign of a bomb: all the memory that there is, at once.
	d := &document{engine: e, file: f, size: size, password: o.Password, ratio: maxRatio, most: e.most}
	defer d.close()
	if err := d.open(ctx); err != nil {
		return err
	}
	traps := 0
	for _, n := range p.Pages {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n < 1 || n > d.pages {
			return fmt.Errorf("there is no page %d of %d", n, d.pages)
		}
		if err := to.PageBegins(n); err != nil {
			return err
		}
		im, dpi, err := d.paint(n, p)
		if err == nil && d.memory.refused {
			err = &trapError{errNoMemory} // what there was no room for is simply not drawn
		}
		if err == nil {
			if err := to.Page(n, dpi, im); err != nil {
				return err
			}
			continue
		}
		if err := to.PageError(n, unpainted(err)); err != nil {
			return err
		}
		if trap := new(trapError); !errors.As(err, &trap) {
			continue
		}
		if traps++; traps > maxTraps {
			return block.Errorf(block.CodeCrash, "Drawing the pages of this PDF failed many times, the last time on page %d. The file may be damaged: open it in the program it was made with and save it again.", n)
		}
		if err := d.reopen(ctx); err != nil {
			return err
		}
	}
	return nil
}

var (
	errTooLarge = errors.New("the page has an impossible size")
	errNoMemory = errors.New("the page needs more memory than there is")
)

func unpainted(err error) string {
	trap := new(trapError)
	switch {
	case errors.Is(err, errTooLarge):
		return "This page could not be drawn: it has an impossible size."
	case errors.Is(err, errNoMemory):
		return "This page could not be drawn: it needs more memory than a parser process may use (extract.memory)."
	case errors.As(err, &trap):
		return "This page could not be drawn: its content is damaged or needs too much memory."
	}
	return "This page could not be drawn: the file is damaged there."
}

// paint draws one page, and says in which resolution.
func (d *document) paint(n int, p block.Painting) (im image.Image, dpi int, err error) {
	loaded, err := d.pdfium.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: d.ref, Index: n - 1})
	if err != nil {
		return nil, 0, call(fmt.Sprintf("loading page %d", n), err)
	}
	defer func() {
		_, closeErr := d.pdfium.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
		if err == nil {
			err = call("closing the page", closeErr)
		}
	}()
	page := requests.Page{ByReference: &loaded.Page}
	width, err := d.pdfium.FPDF_GetPageWidthF(&requests.FPDF_GetPageWidthF{Page: page})
	if err != nil {
		return nil, 0, call("measuring the page", err)
	}
	height, err := d.pdfium.FPDF_GetPageHeightF(&requests.FPDF_GetPageHeightF{Page: page})
	if err != nil {
		return nil, 0, call("measuring the page", err)
	}
	s, err := sizeOf(float64(width.PageWidth), float64(height.PageHeight), p)
	if err != nil {
		return nil, 0, err
	}
	im, err = d.draw(page, s)
	return im, s.dpi, err
}

// canvasSize is how a page is drawn.
type canvasSize struct {
	width, height int // pixels
	dpi           int
	colour        bool
}

// sizeOf finds the size for a page of so many points.
func sizeOf(width, height float64, p block.Painting) (canvasSize, error) {
	if !(width > 0 && height > 0 && width < math.MaxInt32 && height < math.MaxInt32) {
		return canvasSize{}, errTooLarge
	}
	scale := float64(p.DPI) / pointsPerInch
	if p.Side > 0 {
		scale = float64(p.Side) / max(width, height)
	}
	most := float64(cmp.Or(p.MaxPixels, defaultPixels))
	if pixels := width * scale * height * scale; pixels > most {
		scale *= math.Sqrt(most / pixels)
	}
	s := canvasSize{dpi: int(scale * pointsPerInch), colour: p.Side > 0,
		width: max(1, int(width*scale)), height: max(1, int(height*scale))}
	if p.Side == 0 && s.dpi < leastDPI || float64(s.width)*float64(s.height) > 2*most {
		return s, errTooLarge
	}
	return s, nil
}

// draw has PDFium draw a page on white.
func (d *document) draw(page requests.Page, s canvasSize) (im image.Image, err error) {
	format, flags := enums.FPDF_BITMAP_FORMAT_GRAY, enums.FPDF_RENDER_FLAG_ANNOT|enums.FPDF_RENDER_FLAG_GRAYSCALE
	if s.colour {
		format, flags = enums.FPDF_BITMAP_FORMAT_BGRX, enums.FPDF_RENDER_FLAG_ANNOT|enums.FPDF_RENDER_FLAG_REVERSE_BYTE_ORDER
	}
	made, err := d.pdfium.FPDFBitmap_CreateEx(&requests.FPDFBitmap_CreateEx{Width: s.width, Height: s.height, Format: format, Pointer: uint64(0)})
	if err != nil {
		return nil, call("making a bitmap", err)
	}
	defer func() {
		_, destroyErr := d.pdfium.FPDFBitmap_Destroy(&requests.FPDFBitmap_Destroy{Bitmap: made.Bitmap})
		if err == nil {
			err = call("removing a bitmap", destroyErr)
		}
	}()
	if _, err := d.pdfium.FPDFBitmap_FillRect(&requests.FPDFBitmap_FillRect{Bitmap: made.Bitmap, Width: s.width, Height: s.height, Color: 0xffffffff}); err != nil {
		return nil, call("clearing a bitmap", err)
	}
	if _, err := d.pdfium.FPDF_RenderPageBitmap(&requests.FPDF_RenderPageBitmap{Bitmap: made.Bitmap, Page: page, SizeX: s.width, SizeY: s.height, Flags: flags}); err != nil {
		return nil, call("drawing the page", err)
	}
	return d.pixels(made.Bitmap, s)
}

// pixels copies them out of PDFium's memory.
func (d *document) pixels(bitmap references.FPDF_BITMAP, s canvasSize) (image.Image, error) {
	stride, err := d.pdfium.FPDFBitmap_GetStride(&requests.FPDFBitmap_GetStride{Bitmap: bitmap})
	if err != nil {
		return nil, call("reading a bitmap", err)
	}
	buffer, err := d.pdfium.FPDFBitmap_GetBuffer(&requests.FPDFBitmap_GetBuffer{Bitmap: bitmap})
	if err != nil {
		return nil, call("reading a bitmap", err)
	}
	size := 1
	if s.colour {
		size = 4
	}
	if stride.Stride < s.width*size || len(buffer.Buffer) < stride.Stride*s.height {
		return nil, errTooLarge // there was no memory for it
	}
	out := make([]uint8, s.width*size*s.height)
	for y := range s.height {
		copy(out[y*s.width*size:(y+1)*s.width*size], buffer.Buffer[y*stride.Stride:])
	}
	rect := image.Rect(0, 0, s.width, s.height)
	if !s.colour {
		return &image.Gray{Pix: out, Stride: s.width, Rect: rect}, nil
	}
	for i := 3; i < len(out); i += 4 {
		out[i] = 0xff
	}
	return &image.RGBA{Pix: out, Stride: 4 * s.width, Rect: rect}, nil
}
