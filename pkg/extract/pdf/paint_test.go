package pdf

import (
	"context"
	"errors"
	"image"
	"math"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

func TestSizesOfDrawnPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		width, height float64
		painting      block.Painting
		want          canvasSize // zero: refused
	}{
		"A4 at 300 dpi":   {595, 842, block.Painting{DPI: 300}, canvasSize{2479, 3508, 300, false}},
		"A4 to be shown":  {595, 842, block.Painting{Side: 320}, canvasSize{226, 320, 27, true}},
		"a poster":        {2384, 3370, block.Painting{DPI: 300, MaxPixels: 8_000_000}, canvasSize{2378, 3362, 71, false}},
		"a giant":         {14400, 14400, block.Painting{DPI: 300, MaxPixels: 8_000_000}, canvasSize{}},
		"a giant, shown":  {1e8, 1e8, block.Painting{Side: 320}, canvasSize{320, 320, 0, true}},
		"a line":          {1e6, 1, block.Painting{Side: 320}, canvasSize{320, 1, 0, true}},
		"nothing":         {0, 842, block.Painting{DPI: 300}, canvasSize{}},
		"less than that":  {-5, 842, block.Painting{DPI: 300}, canvasSize{}},
		"not even a size": {math.NaN(), 842, block.Painting{DPI: 300}, canvasSize{}},
		"no end":          {math.Inf(1), 842, block.Painting{DPI: 300}, canvasSize{}},
	} {
		got, err := sizeOf(c.width, c.height, c.painting)
		if c.want == (canvasSize{}) {
			if !errors.Is(err, errTooLarge) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
}

// canvas keeps what is drawn.
type canvas struct {
	images map[int]image.Image
	failed map[int]string
}

func (c *canvas) PageBegins(int) error { return nil }
func (c *canvas) Page(n, _ int, im image.Image) error {
	c.images[n] = im
	return nil
}
func (c *canvas) PageError(n int, text string) error {
	c.failed[n] = text
	return nil
}

func TestPagesAreDrawn(t *testing.T) {
	t.Parallel()
	raw := pdftest.Doc{Pages: []pdftest.Page{
		{Content: "0 0 297 421 re f"},                       // black below on the left
		{Content: scan, Entries: "/Rotate 90"},              // on its side
		{Content: "1 0 0 rg 0 0 595 842 re f"},              // all red
		{Content: "f", Entries: "/UserUnit 100000 /X null"}, // of a size that is no page's
	}}.Bytes()
	c := &canvas{map[int]image.Image{}, map[int]string{}}
	o := options(t)
	f := blocktest.File(t, raw)
	if err := reader(t).Paint(context.Background(), f, int64(len(raw)), o, block.Painting{Pages: []int{1, 2}, DPI: 36}, c); err != nil {
		t.Fatal(err)
	}
	g, ok := c.images[1].(*image.Gray)
	if !ok || g.Rect != image.Rect(0, 0, 297, 421) || g.GrayAt(20, 400).Y != 0 || g.GrayAt(20, 20).Y != 0xff || g.GrayAt(280, 400).Y != 0xff {
		t.Errorf("page 1: %v", c.images[1].Bounds())
	}
	if g, ok := c.images[2].(*image.Gray); !ok || g.Rect != image.Rect(0, 0, 421, 297) {
		t.Errorf("page 2: %v", c.images[2].Bounds())
	}
	if err := reader(t).Paint(context.Background(), f, int64(len(raw)), o, block.Painting{Pages: []int{3, 4}, Side: 100}, c); err != nil {
		t.Fatal(err)
	}
	r, _, b, _ := c.images[3].At(30, 50).RGBA()
	if c.images[3].Bounds() != image.Rect(0, 0, 70, 100) || r != 0xffff || b != 0 {
		t.Errorf("page 3: %v, red %x, blue %x", c.images[3].Bounds(), r, b)
	}
	if c.images[4] == nil && c.failed[4] == "" {
		t.Error("nothing became of page 4")
	}
	if err := reader(t).Paint(context.Background(), f, int64(len(raw)), o, block.Painting{Pages: []int{5}, DPI: 36}, c); err == nil {
		t.Error("there is no page 5")
	}
}
