package picture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

// corner is a white image whose upper left quarter is black.
func corner(w, h int) *image.Gray {
	im := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			if x >= w/2 || y >= h/2 {
				im.SetGray(x, y, color.Gray{Y: 0xff})
			}
		}
	}
	return im
}

func encoded(t testing.TB, im image.Image, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(b *bytes.Buffer, im image.Image) error  { return png.Encode(b, im) }
func asJPEG(b *bytes.Buffer, im image.Image) error { return jpeg.Encode(b, im, nil) }
func asGIF(b *bytes.Buffer, im image.Image) error  { return gif.Encode(b, im, nil) }
func asBMP(b *bytes.Buffer, im image.Image) error  { return bmp.Encode(b, im) }
func asTIFF(b *bytes.Buffer, im image.Image) error { return tiff.Encode(b, im, nil) }

// entry is one field of a TIFF directory, a long.
type entry struct {
	tag   uint16
	value uint32
}

// tiffOf is a little-endian TIFF file with these pages, each with its data
// before its directory. Offsets of strips are filled in.
func tiffOf(pages ...func(at uint32) (data []byte, entries []entry)) []byte {
	b := []byte("II*\x00\x00\x00\x00\x00")
	link := 4
	for _, page := range pages {
		data, entries := page(uint32(len(b)))
		slices.SortFunc(entries, func(a, b entry) int { return int(a.tag) - int(b.tag) })
		b = append(b, data...)
		if len(b)%2 == 1 {
			b = append(b, 0)
		}
		binary.LittleEndian.PutUint32(b[link:], uint32(len(b)))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(entries)))
		for _, e := range entries {
			b = binary.LittleEndian.AppendUint16(b, e.tag)
			b = binary.LittleEndian.AppendUint16(b, 4)
			b = binary.LittleEndian.AppendUint32(b, 1)
			b = binary.LittleEndian.AppendUint32(b, e.value)
		}
		link = len(b)
		b = append(b, 0, 0, 0, 0)
	}
	return b
}

// plainPage is a page of bytes of gray.
func plainPage(im *image.Gray, more ...entry) func(uint32) ([]byte, []entry) {
	return func(at uint32) ([]byte, []entry) {
		w, h := uint32(im.Rect.Dx()), uint32(im.Rect.Dy())
		return im.Pix, append([]entry{{tagWidth, w}, {tagHeight, h}, {tagBits, 8}, {tagCompression, 1}, {262, 1},
			{tagStripOffsets, at}, {tagRowsPerStrip, h}, {tagStripCounts, w * h}}, more...)
	}
}

// jpegPage is a page that is one JPEG strip.
func jpegPage(t testing.TB, im image.Image) func(uint32) ([]byte, []entry) {
	raw := encoded(t, im, asJPEG)
	return func(at uint32) ([]byte, []entry) {
		w, h := uint32(im.Bounds().Dx()), uint32(im.Bounds().Dy())
		return raw, []entry{{tagWidth, w}, {tagHeight, h}, {tagBits, 8}, {tagCompression, compressionJPEG}, {262, 6},
			{tagStripOffsets, at}, {tagRowsPerStrip, h}, {tagStripCounts, uint32(len(raw))}}
	}
}

// canvasOf keeps what is drawn.
type canvasOf struct {
	images map[int]image.Image
	failed map[int]string
}

func (c *canvasOf) PageBegins(int) error { return nil }
func (c *canvasOf) Page(n, _ int, im image.Image) error {
	c.images[n] = im
	return nil
}
func (c *canvasOf) PageError(n int, text string) error {
	c.failed[n] = text
	return nil
}

func painted(t testing.TB, raw []byte, o block.Options, p block.Painting) (*canvasOf, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	c := &canvasOf{map[int]image.Image{}, map[int]string{}}
	return c, Paint(context.Background(), f, int64(len(raw)), o, p, c)
}

// dark says which quarter of an image is: upper left, upper right, lower left, lower right.
func dark(im image.Image) int {
	b := im.Bounds()
	for i, at := range []image.Point{{b.Dx() / 4, b.Dy() / 4}, {3 * b.Dx() / 4, b.Dy() / 4}, {b.Dx() / 4, 3 * b.Dy() / 4}, {3 * b.Dx() / 4, 3 * b.Dy() / 4}} {
		if y := color.GrayModel.Convert(im.At(b.Min.X+at.X, b.Min.Y+at.Y)).(color.Gray).Y; y < 0x40 {
			return i
		}
	}
	return -1
}

func TestFormats(t *testing.T) {
	t.Parallel()
	colour := image.NewRGBA(image.Rect(0, 0, 40, 24))
	clear := image.NewNRGBA(colour.Rect) // black, and transparent but for the corner
	for y := range 24 {
		for x := range 40 {
			c := corner(40, 24).At(x, y)
			colour.Set(x, y, c)
			if c.(color.Gray).Y == 0 {
				clear.Set(x, y, color.Black)
			}
		}
	}
	for name, raw := range map[string][]byte{
		"PNG":                 encoded(t, corner(40, 24), asPNG),
		"PNG, 16 bit":         encoded(t, gray16(corner(40, 24)), asPNG),
		"PNG, transparent":    encoded(t, clear, asPNG),
		"JPEG":                encoded(t, colour, asJPEG),
		"JPEG, gray":          encoded(t, corner(40, 24), asJPEG),
		"GIF":                 encoded(t, colour, asGIF),
		"BMP":                 encoded(t, colour, asBMP),
		"TIFF":                encoded(t, colour, asTIFF),
		"TIFF, JPEG":          tiffOf(jpegPage(t, colour)),
		"TIFF, JPEG and gray": tiffOf(jpegPage(t, corner(40, 24))),
	} {
		if d, err := blocktest.Try(t, Parse, raw, block.Options{}); codeOf(err) != block.CodeNeedsOCR || d.Meta.Pages != 1 {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
		got, err := painted(t, raw, block.Options{}, block.Painting{Pages: []int{1}})
		if err != nil || got.images[1] == nil {
			t.Errorf("%s: %v, %v", name, got.failed, err)
			continue
		}
		if g, ok := got.images[1].(*image.Gray); !ok || g.Rect != image.Rect(0, 0, 40, 24) || dark(g) != 0 {
			t.Errorf("%s: %T of %v, dark in %d", name, got.images[1], got.images[1].Bounds(), dark(got.images[1]))
		}
		got, err = painted(t, raw, block.Options{}, block.Painting{Pages: []int{1}, Side: 20})
		if err != nil || got.images[1] == nil || got.images[1].Bounds() != image.Rect(0, 0, 20, 12) || dark(got.images[1]) != 0 {
			t.Errorf("%s, reduced: %v, %v", name, got, err)
		}
	}
}

func gray16(im *image.Gray) *image.Gray16 {
	out := image.NewGray16(im.Rect)
	for y := range im.Rect.Dy() {
		for x := range im.Rect.Dx() {
			out.Set(x, y, im.At(x, y))
		}
	}
	return out
}

// Every orientation brings the dark quarter back to the upper left.
func TestOrientations(t *testing.T) {
	t.Parallel()
	quarter := map[int]int{1: 0, 2: 1, 3: 3, 4: 2, 5: 0, 6: 2, 7: 3, 8: 1} // where it is stored
	for orientation, at := range quarter {
		w, h := 40, 24
		stored := image.NewGray(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				if (x >= w/2) != (at%2 == 1) || (y >= h/2) != (at/2 == 1) {
					stored.SetGray(x, y, color.Gray{Y: 0xff})
				}
			}
		}
		size := image.Rect(0, 0, w, h)
		if orientation >= 5 {
			size = image.Rect(0, 0, h, w)
		}
		for name, raw := range map[string][]byte{
			"TIFF": tiffOf(plainPage(stored, entry{tagOrientation, uint32(orientation)})),
			"JPEG": exif(encoded(t, stored, asJPEG), orientation),
		} {
			for side, want := range map[int]image.Rectangle{0: size, 20: {Max: size.Max.Div(2)}} {
				got, err := painted(t, raw, block.Options{}, block.Painting{Pages: []int{1}, Side: side})
				if err != nil || got.images[1] == nil || got.images[1].Bounds() != want || dark(got.images[1]) != 0 {
					t.Errorf("%s, orientation %d, side %d: %v, %v", name, orientation, side, got, err)
				}
			}
		}
	}
}

// exif puts an orientation into a JPEG file.
func exif(raw []byte, orientation int) []byte {
	segment := append([]byte("Exif\x00\x00"), tiffOf(func(uint32) ([]byte, []entry) { return nil, []entry{{tagOrientation, uint32(orientation)}} })...)
	head := []byte{0xff, markerSOI, 0xff, markerAPP1, 0, 0}
	binary.BigEndian.PutUint16(head[4:], uint16(len(segment)+2))
	return append(append(head, segment...), raw[2:]...)
}

func TestPagesOfATIFF(t *testing.T) {
	t.Parallel()
	raw := tiffOf(plainPage(corner(20, 20)), plainPage(corner(4, 4), entry{tagSubfile, 1}), plainPage(corner(30, 10)), jpegPage(t, corner(16, 16)))
	got, err := painted(t, raw, block.Options{}, block.Painting{Pages: []int{1, 2, 3}})
	if err != nil || len(got.images) != 3 || got.images[1].Bounds().Dx() != 20 || got.images[2].Bounds().Dx() != 30 || got.images[3].Bounds().Dx() != 16 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := painted(t, raw, block.Options{}, block.Painting{Pages: []int{4}}); err == nil {
		t.Error("there is a page too many: the reduced copy")
	}
	if _, err := blocktest.Try(t, Parse, raw, block.Options{MaxPages: 2}); codeOf(err) != block.CodeTooLarge {
		t.Errorf("more pages than allowed: %v", err)
	}
	circular := tiffOf(plainPage(corner(20, 20)))
	copy(circular[len(circular)-4:], circular[4:8])
	if pages, err := headers(bytes.NewReader(circular), int64(len(circular)), 0); err != nil || len(pages) != 1 {
		t.Errorf("in a circle: %d pages, %v", len(pages), err)
	}
}

func codeOf(err error) string {
	var coded *block.Error
	if errors.As(err, &coded) {
		return coded.Code
	}
	return ""
}

// Nothing of these is decoded: the headers say enough.
func TestRefusals(t *testing.T) {
	t.Parallel()
	wide := encoded(t, corner(40, 24), asPNG)
	binary.BigEndian.PutUint32(wide[16:], 100_000)
	binary.BigEndian.PutUint32(wide[20:], 100_000)
	crc(wide)
	layers := encoded(t, corner(40, 24), asJPEG)
	layers[bytes.Index(layers, []byte{0xff, 0xc0})+1] = 0xc2
	at := bytes.Index(layers, []byte{0xff, 0xc2})
	binary.BigEndian.PutUint16(layers[at+5:], 5000)
	binary.BigEndian.PutUint16(layers[at+7:], 5000)
	layers = append(layers, bytes.Repeat([]byte{0xff, markerSOS, 0, 2}, 1000)...)
	noisy := encoded(t, corner(400, 300), asPNG)
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"gigapixels":        {wide, block.Options{}, block.CodeBomb},
		"many pixels":       {append(noisy, make([]byte, 1000)...), block.Options{MaxPixels: 100_000}, block.CodeTooLarge},
		"much memory":       {noisy, block.Options{MemoryLimit: 200_000}, block.CodeTooLarge},
		"a thousand layers": {layers, block.Options{}, block.CodeBomb},
		"cut short":         {wide[:20], block.Options{}, block.CodeCorrupt},
		"no image":          {[]byte("RIFF1234WEBPVP8 nothing"), block.Options{}, block.CodeCorrupt},
		"nothing known":     {[]byte("text"), block.Options{}, block.CodeUnsupported},
		"12 bits":           {bytes.Replace(encoded(t, corner(40, 24), asJPEG), []byte{0xff, 0xc0, 0, 11, 8}, []byte{0xff, 0xc0, 0, 11, 12}, 1), block.Options{}, block.CodeUnsupported},
		"an empty TIFF":     {[]byte("II*\x00\x08\x00\x00\x00\x00\x00"), block.Options{}, block.CodeCorrupt},
	} {
		if _, err := blocktest.Try(t, Parse, c.raw, c.o); codeOf(err) != c.code || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s: %v, want one coded %s", name, err, c.code)
		}
	}
}

// crc makes the checksum of a PNG file's header right.
func crc(raw []byte) {
	sum := uint32(0xffffffff)
	for _, b := range raw[12:29] {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0xedb88320&-(sum&1)
		}
	}
	binary.BigEndian.PutUint32(raw[29:], ^sum)
}

// What breaks in the middle is that page's error.
func TestADamagedPage(t *testing.T) {
	t.Parallel()
	raw := encoded(t, corner(400, 300), asPNG)
	got, err := painted(t, raw[:len(raw)-40], block.Options{}, block.Painting{Pages: []int{1}})
	if err != nil || !strings.Contains(got.failed[1], "damaged") {
		t.Errorf("%+v, %v", got, err)
	}
	odd := tiffOf(plainPage(corner(20, 20)))
	binary.LittleEndian.PutUint32(odd[bytes.Index(odd, []byte{3, 1, 4, 0})+8:], 34712) // JPEG 2000
	got, err = painted(t, odd, block.Options{}, block.Painting{Pages: []int{1}})
	if err != nil || !strings.Contains(got.failed[1], "Save it as PNG") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSmallPagesAreEnlarged(t *testing.T) {
	t.Parallel()
	for width, want := range map[int]int{400: 400, 600: 1200, 1600: 1600} {
		got, err := painted(t, encoded(t, corner(width, 200), asPNG), block.Options{}, block.Painting{Pages: []int{1}})
		if err != nil || got.images[1].Bounds().Dx() != want {
			t.Errorf("%d pixels: %+v, %v", width, got.images[1].Bounds(), err)
		}
	}
}

func FuzzPaint(f *testing.F) {
	im := corner(40, 24)
	for _, raw := range [][]byte{
		encoded(f, im, asPNG), encoded(f, im, asJPEG), encoded(f, im, asGIF), encoded(f, im, asBMP), encoded(f, im, asTIFF),
		tiffOf(plainPage(im), plainPage(im, entry{tagOrientation, 6})), tiffOf(jpegPage(f, im)), exif(encoded(f, im, asJPEG), 6),
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		o := block.Options{MaxPixels: 1 << 20, MaxPages: 10, MemoryLimit: 64 << 20}
		if _, err := blocktest.Try(t, Parse, raw, o); err != nil && codeOf(err) == "" {
			t.Fatal(err)
		}
		pages, err := headers(bytes.NewReader(raw), int64(len(raw)), o.MaxPages)
		if err != nil {
			return
		}
		for n := range pages {
			for _, side := range []int{0, 32} {
				got, err := painted(t, raw, o, block.Painting{Pages: []int{n + 1}, Side: side, MaxPixels: o.MaxPixels})
				if err != nil || len(got.images)+len(got.failed) != 1 {
					t.Fatalf("page %d: %+v, %v", n+1, got, err)
				}
			}
		}
	})
}
