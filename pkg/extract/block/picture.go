package block

import (
	"context"
	"image"
	"os"
)

// Painting says which pages are to be drawn, and how.
type Painting struct {
	// Pages are counted from 1, in the order in which they are wanted.
	Pages []int `json:"pages"`
	// DPI is the resolution of pages with a size on paper, lowered where a page would have more
	// than MaxPixels; 0 when Side counts. Pictures without a size are given as they are.
	DPI int `json:"dpi,omitempty"`
	// Side is what the longer side of a page is reduced to, in pixels, in colour; 0 gives all of
	// it, in shades of gray.
	Side int `json:"side,omitempty"`
	// MaxPixels bounds a page. A picture with more is refused before it is decoded.
	MaxPixels int `json:"max_pixels"`
}

// Canvas takes what a Painter draws. An error ends the painting and is returned by it.
type Canvas interface {
	// PageBegins says which page is about to be drawn.
	PageBegins(n int) error
	// Page takes one page, which is valid until the call returns; dpi is 0 where it is unknown.
	Page(n, dpi int, im image.Image) error
	// PageError says why a page can't be drawn, in a sentence; the others are.
	PageError(n int, text string) error
}

// Painter draws pages of a file, with the promises of a Parser.
type Painter func(ctx context.Context, f *os.File, size int64, o Options, p Painting, to Canvas) error

// PictureNoter is what a Sink may be beside: a parser tells it of pages that are pictures, whose
// text only a recognition of characters finds. The parser reports no error for them.
type PictureNoter interface {
	IsPicture(page int) error
}
