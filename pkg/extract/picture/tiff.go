package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"

	"golang.org/x/image/tiff"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Tags of a TIFF directory (TIFF 6.0, appendix A).
const (
	tagSubfile       = 254
	tagWidth         = 256
	tagHeight        = 257
	tagBits          = 258
	tagCompression   = 259
	tagStripOffsets  = 273
	tagOrientation   = 274
	tagRowsPerStrip  = 278
	tagStripCounts   = 279
	tagResolution    = 282
	tagResUnit       = 296
	tagTileWidth     = 322
	tagTileHeight    = 323
	tagTileOffsets   = 324
	tagTileCounts    = 325
	tagJPEGTables    = 347
	compressionJPEG  = 7
	maxTIFFPages     = 20000
	maxTIFFEntries   = 4096
	maxTIFFValues    = 1 << 20 // of one entry
	maxTIFFTableSize = 64 << 10
)

// directory is one page of a TIFF file.
type directory struct {
	r       io.ReaderAt
	order   binary.ByteOrder
	at      int64
	next    int64
	entries map[uint16][]byte // 12 bytes each
}

// tiffHeaders follows the chain of directories. One that leads back to an
// earlier one ends it; reduced copies of other pages are left out.
func tiffHeaders(f io.ReaderAt, size int64, maxPages int) ([]page, error) {
	if maxPages <= 0 {
		maxPages = maxTIFFPages
	}
	var pages []page
	seen := map[int64]bool{}
	for at := int64(-1); at != 0; {
		d, err := readDirectory(f, size, at)
		if err != nil || seen[d.at] {
			break
		}
		seen[d.at] = true
		if at = d.next; len(seen) > maxPages {
			return nil, block.Errorf(block.CodeTooLarge, "This TIFF file has more than the %d pages that are taken from one document. Split it into smaller documents.", maxPages)
		}
		if d.value(tagSubfile)&1 == 0 {
			pages = append(pages, d.page())
		}
	}
	if len(pages) == 0 {
		return nil, damaged("TIFF")
	}
	return pages, nil
}

// readDirectory reads the directory at an offset; -1 is the first one.
func readDirectory(r io.ReaderAt, size, at int64) (*directory, error) {
	head := make([]byte, 8)
	if _, err := r.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("reading a TIFF header: %w", err)
	}
	d := &directory{r: r, at: at, order: binary.LittleEndian, entries: map[uint16][]byte{}}
	if head[0] == 'M' {
		d.order = binary.BigEndian
	}
	if at < 0 {
		d.at = int64(d.order.Uint32(head[4:]))
	}
	count := make([]byte, 2)
	if _, err := r.ReadAt(count, d.at); err != nil || d.at < 8 {
		return nil, errors.New("a TIFF directory is outside of the file")
	}
	n := int(d.order.Uint16(count))
	if n == 0 || n > maxTIFFEntries || d.at+2+12*int64(n) > size {
		return nil, errors.New("a TIFF directory is cut short")
	}
	all := make([]byte, 12*n+4)
	if got, err := r.ReadAt(all, d.at+2); err != nil && got < 12*n {
		return nil, fmt.Errorf("reading a TIFF directory: %w", err)
	}
	for i := range n {
		entry := all[12*i : 12*i+12]
		d.entries[d.order.Uint16(entry)] = entry
	}
	d.next = int64(d.order.Uint32(all[12*n:]))
	return d, nil
}

// values are the numbers of an entry of bytes, shorts or longs, at most so many.
func (d *directory) values(tag uint16, most int) []int64 {
	entry, ok := d.entries[tag]
	if !ok {
		return nil
	}
	width := map[uint16]int{1: 1, 3: 2, 4: 4}[d.order.Uint16(entry[2:])]
	n := int(min(int64(d.order.Uint32(entry[4:])), int64(most)))
	if width == 0 || n == 0 {
		return nil
	}
	raw := entry[8:12]
	if n*width > 4 {
		raw = make([]byte, n*width)
		if _, err := d.r.ReadAt(raw, int64(d.order.Uint32(entry[8:]))); err != nil {
			return nil
		}
	}
	out := make([]int64, n)
	for i := range out {
		switch width {
		case 1:
			out[i] = int64(raw[i])
		case 2:
			out[i] = int64(d.order.Uint16(raw[2*i:]))
		default:
			out[i] = int64(d.order.Uint32(raw[4*i:]))
		}
	}
	return out
}

func (d *directory) value(tag uint16) int64 {
	if v := d.values(tag, 1); len(v) > 0 {
		return v[0]
	}
	return 0
}

func (d *directory) orientation() int {
	if o := d.value(tagOrientation); o >= 1 && o <= 8 {
		return int(o)
	}
	return 0
}

// resolution is in dots per inch, 0 when unknown.
func (d *directory) resolution() int {
	entry, ok := d.entries[tagResolution]
	if !ok || d.order.Uint16(entry[2:]) != 5 {
		return 0
	}
	ratio := make([]byte, 8)
	if _, err := d.r.ReadAt(ratio, int64(d.order.Uint32(entry[8:]))); err != nil {
		return 0
	}
	of := int64(d.order.Uint32(ratio[4:]))
	if of == 0 {
		return 0
	}
	dpi := int64(d.order.Uint32(ratio)) / of
	if d.value(tagResUnit) == 3 { // per centimetre
		dpi = dpi * 254 / 100
	}
	return int(dpi)
}

func (d *directory) page() page {
	p := page{format: "TIFF", width: int(d.value(tagWidth)), height: int(d.value(tagHeight)), ifd: d,
		orientation: d.orientation(), dpi: d.resolution()}
	bits := d.values(tagBits, 4)
	switch {
	case len(bits) > 0 && bits[0] > 8:
		p.cost = 12
	case len(bits) > 1 || d.value(tagCompression) == compressionJPEG:
		p.cost = 8
	default:
		p.cost = 3
	}
	return p
}

// decode reads the pixels of this page.
func (d *directory) decode(f io.ReaderAt, size int64) (image.Image, error) {
	if d.value(tagCompression) == compressionJPEG {
		return d.decodeJPEG()
	}
	im, err := tiff.Decode(io.NewSectionReader(&beginsAt{f, d.order, d.at}, 0, size))
	var unsupported tiff.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, &unsupportedError{"This TIFF image is encoded in a way that is not read (" + string(unsupported) + "). Save it as PNG, or as TIFF with LZW compression."}
	}
	return im, err
}

// beginsAt is a TIFF file whose first directory is another one: decoders read
// only the first.
type beginsAt struct {
	io.ReaderAt
	order binary.ByteOrder
	at    int64
}

// ReadAt implements io.ReaderAt.
func (b *beginsAt) ReadAt(p []byte, offset int64) (int, error) {
	n, err := b.ReaderAt.ReadAt(p, offset)
	pointer := make([]byte, 4)
	b.order.PutUint32(pointer, uint32(b.at))
	for i := range pointer {
		if j := int64(4+i) - offset; j >= 0 && j < int64(n) {
			p[j] = pointer[i]
		}
	}
	return n, err
}

// decodeJPEG puts together an image whose strips or tiles are JPEG images, with
// their tables in common (TIFF Technical Note 2).
func (d *directory) decodeJPEG() (image.Image, error) {
	width, height := int(d.value(tagWidth)), int(d.value(tagHeight))
	across, rows := width, height
	offsets, counts := uint16(tagStripOffsets), uint16(tagStripCounts)
	if v := d.value(tagTileWidth); v > 0 {
		across, rows = int(v), int(d.value(tagTileHeight))
		offsets, counts = tagTileOffsets, tagTileCounts
	} else if v := d.value(tagRowsPerStrip); v > 0 && v < int64(height) {
		rows = int(v)
	}
	if across <= 0 || rows <= 0 {
		return nil, errors.New("strips without a size")
	}
	perRow := (width + across - 1) / across
	n := perRow * ((height + rows - 1) / rows)
	if n > maxTIFFValues {
		return nil, fmt.Errorf("%d strips", n)
	}
	at, lengths := d.values(offsets, n), d.values(counts, n)
	if len(at) < n || len(lengths) < n {
		return nil, errors.New("strips without a place")
	}
	var whole draw.Image
	for i := range n {
		part, err := d.strip(at[i], lengths[i], across, rows)
		if err != nil {
			return nil, err
		}
		if whole == nil {
			whole = canvas(part, width, height)
		}
		where := image.Pt(i%perRow*across, i/perRow*rows)
		draw.Draw(whole, part.Bounds().Sub(part.Bounds().Min).Add(where), part, part.Bounds().Min, draw.Src)
	}
	return whole, nil
}

// canvas is an empty image for parts like this one.
func canvas(part image.Image, width, height int) draw.Image {
	if _, ok := part.(*image.Gray); ok {
		return image.NewGray(image.Rect(0, 0, width, height))
	}
	return image.NewRGBA(image.Rect(0, 0, width, height))
}

// strip decodes one JPEG image. It may be larger than a strip by what its
// blocks are rounded up to.
func (d *directory) strip(at, length int64, across, rows int) (image.Image, error) {
	const most = 256 << 20
	if length < 4 || length > most {
		return nil, fmt.Errorf("a strip of %d bytes", length)
	}
	raw := make([]byte, length)
	if _, err := d.r.ReadAt(raw, at); err != nil {
		return nil, fmt.Errorf("reading a strip: %w", err)
	}
	// Tables end, and the strip begins, with a marker that must not stand in the middle.
	if tables := d.tables(); len(tables) > 4 {
		raw = append(bytes.TrimSuffix(tables, []byte{0xff, markerEOI}), bytes.TrimPrefix(raw, []byte{0xff, markerSOI})...)
	}
	head, err := jpegHeader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return nil, err
	}
	if head[0].width > across+16 || head[0].height > rows+16 {
		return nil, fmt.Errorf("a strip of %d x %d pixels", head[0].width, head[0].height)
	}
	return jpeg.Decode(bytes.NewReader(raw))
}

func (d *directory) tables() []byte {
	entry, ok := d.entries[tagJPEGTables]
	if !ok {
		return nil
	}
	n := d.order.Uint32(entry[4:])
	if n <= 4 || n > maxTIFFTableSize {
		return nil
	}
	tables := make([]byte, n)
	if _, err := d.r.ReadAt(tables, int64(d.order.Uint32(entry[8:]))); err != nil {
		return nil
	}
	return tables
}
