package pdf

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/ascii85"
	"encoding/hex"
	"errors"
	"io"
	"regexp"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds on what a PDF may expand to, as in package archive: content of real
// documents stays below 50:1, and the exceptions are small.
const (
	maxRatio   = 200
	ratioFloor = 4 << 20
	// maxUnpacked bounds what is unpacked to look for a bomb, in bytes.
	maxUnpacked = 64 << 20
	// scanWindow is how much of a file is searched at a time, and scanOverlap how much of it
	// again: dictionaries of streams are shorter.
	scanWindow  = 1 << 20
	scanOverlap = 4 << 10
	maxFilters  = 8 // of one stream
)

// widen gives a document that asked for more memory all that there is, unless
// it is a bomb. wider is false when it had all already.
func (d *document) widen(ctx context.Context) (wider bool, err error) {
	if err := d.bomb(); err != nil || d.most >= d.engine.most {
		return false, err
	}
	d.most = d.engine.most
	return true, d.reopen(ctx)
}

// needsMemory is the error of a document that all memory is too little for.
func (d *document) needsMemory() error {
	return block.Errorf(block.CodeMemory, "Reading this PDF takes more than %d MiB of memory. Split it into smaller documents.", d.engine.most>>20)
}

// bomb tells, of a document that wants more memory, whether that is because
// it is made to expand: it takes too many times its size (objects that contain
// one another), or a stream does when it is unpacked.
func (d *document) bomb() error {
	used := d.most - startPages*pageSize
	if d.most > startPages*pageSize && used/uint64(max(d.size, 1)) > uint64(d.ratio) || expands(d.file, d.size, d.ratio) {
		return block.Errorf(block.CodeBomb, "This PDF was refused: it expands to more than %d times its size. If it is a real document, save it anew in the program it was made with.", d.ratio)
	}
	return nil
}

// expands reports whether a stream of the file unpacks to more than ratio
// times its size. It goes by the file's bytes, not by its structure, which may be part of the
// trap, and sees no encrypted stream.
func expands(f io.ReaderAt, size int64, ratio int) bool {
	budget := int64(maxUnpacked)
	window := make([]byte, scanWindow)
	for at := int64(0); at < size && budget > 0; at += scanWindow - scanOverlap {
		n, err := f.ReadAt(window, at)
		if n == 0 || err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		part := window[:n]
		for i := 0; budget > 0; {
			found := bytes.Index(part[i:], []byte("stream"))
			if found < 0 {
				break
			}
			begin := i + found
			i = begin + len("stream")
			if bytes.HasSuffix(part[:begin], []byte("end")) {
				continue
			}
			if streamExpands(f, size, at+int64(i), dictionaryBefore(part[:begin]), int64(ratio), &budget) {
				return true
			}
		}
	}
	return false
}

// dictionaryBefore is the end of b from the last beginning of an object on.
func dictionaryBefore(b []byte) []byte {
	b = b[max(0, len(b)-scanOverlap):]
	return b[max(0, bytes.LastIndex(b, []byte("obj"))):]
}

// filterName matches the filters that one finds in a stream's dictionary.
var filterName = regexp.MustCompile(`/(FlateDecode|Fl|ASCII85Decode|A85|ASCIIHexDecode|AHx|[A-Z][A-Za-z0-9]*Decode)\b`)

// streamExpands reports whether more than ratio times as much comes out of the
// filters of the stream at an offset as goes in, as far as the budget reaches.
func streamExpands(f io.ReaderAt, size, at int64, dictionary []byte, ratio int64, budget *int64) bool {
	source := &counter{r: io.NewSectionReader(f, at, size-at)}
	begin := bufio.NewReader(source)
	for _, end := range []byte("\r\n") {
		if b, err := begin.Peek(1); err == nil && b[0] == end {
			_, _ = begin.Discard(1)
		}
	}
	r := io.Reader(begin)
	filters := filterName.FindAllSubmatch(dictionary, maxFilters)
	if len(filters) == 0 { // their names stand elsewhere
		filters = [][][]byte{{nil, []byte("FlateDecode")}}
	}
	for i := 0; i < len(filters) && r != nil; i++ {
		r = decoder(string(filters[i][1]), r)
	}
	if r == nil {
		return false
	}
	for out := int64(0); *budget > 0; {
		// Where data is damaged it counts as far as it goes, as in PDFium.
		n, err := io.CopyN(io.Discard, r, ratioFloor)
		out += n
		*budget -= n
		if out >= ratioFloor && out/ratio > source.n {
			return true
		}
		if err != nil {
			return false
		}
	}
	return false
}

// decoder reads what a filter makes of r; nil is for those of pictures and
// those that are not looked into.
func decoder(filter string, r io.Reader) io.Reader {
	switch filter {
	case "FlateDecode", "Fl":
		if z, err := zlib.NewReader(r); err == nil {
			return z
		}
	case "ASCII85Decode", "A85":
		return ascii85.NewDecoder(r)
	case "ASCIIHexDecode", "AHx":
		return hex.NewDecoder(r)
	}
	return nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
