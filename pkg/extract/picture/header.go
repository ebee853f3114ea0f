package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// headers lists the pages of a file by what its headers say.
func headers(f io.ReaderAt, size int64, maxPages int) ([]page, error) {
	magic := make([]byte, 12)
	n, err := f.ReadAt(magic, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	magic = magic[:n]
	whole := func() io.Reader { return bufio.NewReader(io.NewSectionReader(f, 0, size)) }
	switch {
	case bytes.HasPrefix(magic, []byte("\x89PNG\r\n\x1a\n")):
		return configured("PNG", whole(), png.DecodeConfig)
	case bytes.HasPrefix(magic, []byte("\xff\xd8\xff")):
		return jpegHeader(f, size)
	case bytes.HasPrefix(magic, []byte("GIF8")):
		return configured("GIF", whole(), gif.DecodeConfig)
	case bytes.HasPrefix(magic, []byte("BM")):
		return configured("BMP", whole(), bmp.DecodeConfig)
	case bytes.HasPrefix(magic, []byte("RIFF")) && bytes.HasSuffix(magic, []byte("WEBP")):
		return configured("WebP", whole(), webp.DecodeConfig)
	case bytes.HasPrefix(magic, []byte("II*\x00")), bytes.HasPrefix(magic, []byte("MM\x00*")):
		return tiffHeaders(f, size, maxPages)
	}
	return nil, block.Errorf(block.CodeUnsupported, "This image is of a kind that is not read. Save it as PNG, JPEG or TIFF.")
}

// configured is a file with one picture, whose decoder reads headers by itself.
func configured(format string, r io.Reader, config func(io.Reader) (image.Config, error)) ([]page, error) {
	c, err := config(r)
	if err != nil {
		return nil, damaged(format)
	}
	return []page{{format: format, width: c.Width, height: c.Height, cost: cost(format, c.ColorModel)}}, nil
}

// cost is how many bytes a pixel takes while it is decoded.
func cost(format string, m color.Model) int {
	switch _, paletted := m.(color.Palette); {
	case paletted || m == color.GrayModel:
		return 1
	case m == color.Gray16Model:
		return 2
	case m == color.RGBA64Model || m == color.NRGBA64Model:
		return 8
	case format == "WebP":
		return 6
	}
	return 4
}

// Markers of JPEG.
const (
	markerSOI, markerEOI, markerSOS = 0xd8, 0xd9, 0xda
	markerAPP0, markerAPP1          = 0xe0, 0xe1
)

// maxScanned bounds the work of a progressive image: pixels times scans. Ten
// scans are usual; each goes over the whole image.
const maxScanned = 4_000_000_000

// jpegHeader goes through the segments up to the first scan.
func jpegHeader(f io.ReaderAt, size int64) ([]page, error) {
	p := page{format: "JPEG"}
	head := make([]byte, 4)
	for at := int64(2); at < size; {
		if _, err := f.ReadAt(head, at); err != nil || head[0] != 0xff {
			return nil, damaged(p.format)
		}
		marker, length := head[1], int64(binary.BigEndian.Uint16(head[2:]))
		switch {
		case marker == 0xff: // fill
			at++
			continue
		case marker >= 0xd0 && marker <= markerSOI || marker == 0x01: // without a length
			at += 2
			continue
		case length < 2:
			return nil, damaged(p.format)
		}
		segment := make([]byte, length-2)
		if _, err := f.ReadAt(segment, at+4); err != nil && err != io.EOF {
			return nil, err
		}
		switch {
		case marker == markerAPP0:
			p.dpi = jfifResolution(segment)
		case marker == markerAPP1:
			if o := exifOrientation(segment); o > 0 {
				p.orientation = o
			}
		case marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc:
			return p.frame(f, size, marker, segment)
		case marker == markerSOS || marker == markerEOI:
			return nil, damaged(p.format)
		}
		at += 2 + length
	}
	return nil, damaged(p.format)
}

// frame reads the header of the frame, which has the size.
func (p page) frame(f io.ReaderAt, size int64, marker byte, segment []byte) ([]page, error) {
	if len(segment) < 6 {
		return nil, damaged(p.format)
	}
	if marker > 0xc2 || segment[0] != 8 {
		return nil, block.Errorf(block.CodeUnsupported, "This JPEG image is encoded in a way that is rarely used and not read. Save it as PNG.")
	}
	p.height, p.width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
	components := int(segment[5])
	p.cost = components
	if marker != 0xc2 {
		return []page{p}, nil
	}
	// A progressive image is kept as coefficients, four bytes each, until its last scan.
	p.cost += 4 * components
	scans, err := count(io.NewSectionReader(f, 0, size), []byte{0xff, markerSOS}, maxScanned)
	if err != nil {
		return nil, err
	}
	if scans*int64(p.width)*int64(p.height) > maxScanned {
		return nil, block.Errorf(block.CodeBomb, "This JPEG image is made of %d layers, which would take very long to decode. Save it as PNG.", scans)
	}
	return []page{p}, nil
}

// count counts what in r, up to most.
func count(r io.Reader, what []byte, most int64) (int64, error) {
	buf := make([]byte, 256<<10)
	var n int64
	kept := 0
	for n < most {
		got, err := r.Read(buf[kept:])
		n += int64(bytes.Count(buf[:kept+got], what))
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		kept = copy(buf, buf[max(0, kept+got-len(what)+1):kept+got])
	}
	return n, nil
}

// jfifResolution reads the dots per inch of a JFIF header, 0 where it has none.
func jfifResolution(segment []byte) int {
	if len(segment) < 12 || !bytes.HasPrefix(segment, []byte("JFIF\x00")) {
		return 0
	}
	across := int(binary.BigEndian.Uint16(segment[8:]))
	switch segment[7] {
	case 1:
		return across
	case 2: // per centimetre
		return across * 254 / 100
	}
	return 0
}

// exifOrientation reads the orientation of an EXIF segment, which is a TIFF
// header with a directory; 0 where it has none.
func exifOrientation(segment []byte) int {
	tiff, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00"))
	if !ok {
		return 0
	}
	d, err := readDirectory(bytes.NewReader(tiff), int64(len(tiff)), -1)
	if err != nil {
		return 0
	}
	return d.orientation()
}
