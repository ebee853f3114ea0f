// Package doc turns Word 97-2003 documents into blocks ([MS-DOC]). A document
// is an OLE container: its stream WordDocument begins with the file information
// block, which says where the text is (in pieces, in any order), and where the
// properties of paragraphs and characters are. The text of the body, of notes,
// headers, comments and text boxes stands one after the other, and the
// positions in all of them are counted in characters from the body's start.
//
// Word 6 and 95 have the same in an older form. Of their documents the text and
// the tables are read; what would tell headings and lists is not.
package doc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/richardlehane/mscfb"
	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// maxStream bounds a stream as it is held, in bytes. Pictures are in streams that aren't read.
	maxStream = 64 << 20
	// checkEvery is how many paragraphs pass between two looks at the context.
	checkEvery = 256
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0: a document has none until it is laid out.
func Parse(ctx context.Context, f *os.File, size int64, _ block.Options, sink block.Sink) error {
	d := &document{ctx: ctx, sink: sink, progress: block.NewProgress(sink, size)}
	if err := d.open(f, size); err != nil {
		return err
	}
	if d.old {
		d.readOldPieces()
	} else {
		d.readPieces()
	}
	if len(d.pieces) == 0 {
		return block.Errorf(block.CodeCorrupt, "This document is damaged: it doesn't say where its text is. Open it in Word, save it as DOCX and send that.")
	}
	d.readStyles()
	d.readParagraphs()
	d.readCharacters()
	if err := sink.Meta(d.meta); err != nil {
		return err
	}
	if err := d.body(); err != nil {
		return err
	}
	if err := d.apart(); err != nil {
		return err
	}
	if d.blocks+d.asides == 0 {
		return block.Errorf(block.CodeNoText, "This document has no text.")
	}
	if d.cut {
		if err := sink.Warn(block.TextIncomplete + "the document is damaged; some of its text is missing"); err != nil {
			return err
		}
	}
	return d.progress.Finish()
}

// document is one file being parsed.
type document struct {
	ctx      context.Context
	sink     block.Sink
	main     bytes            // stream WordDocument
	table    bytes            // stream 0Table or 1Table
	old      bool             // of Word 6 or 95
	narrow   *charmap.Charmap // of text with one byte a character
	progress *block.Progress
	meta     block.Metadata

	pieces     []piece
	left       int // characters that may still be read
	cut        bool
	styles     []style
	paragraphs []paragraph
	unseen     []span // text that isn't shown, by its place in the stream

	notes  map[int]string // mark of the note that is referred to at a character of the body
	blocks int
	asides int
}

// open reads the streams of the container and the start of the file information
// block.
func (d *document) open(f *os.File, size int64) error {
	streams, err := readStreams(f, size)
	if err != nil {
		return err
	}
	d.main = streams["WordDocument"]
	ident, fib := d.main.u16(0), d.main.u16(2)
	flags := d.main.u16(10)
	switch {
	case ident != 0xa5ec && ident != 0xa5dc || len(d.main) < 0x9a:
		return block.Errorf(block.CodeCorrupt, "This document is damaged: its stream WordDocument is none. Send it again.")
	case fib < 0x65:
		return block.Errorf(block.CodeUnsupported, "This document was saved by a version of Word before Word 6. Open it in Word or LibreOffice and save it as DOCX.")
	case flags&0x0100 != 0:
		return block.Errorf(block.CodeEncrypted, "This document is encrypted with a password. Save it without one, as DOCX.")
	}
	d.old = ident == 0xa5dc || fib < 0xc1
	d.narrow = charmap.Windows1252
	d.table = streams["0Table"]
	if flags&0x0200 != 0 {
		d.table = streams["1Table"]
	}
	d.left = len(d.main) + 4096
	d.meta = summary(streams["\x05SummaryInformation"])
	return nil
}

// readStreams reads the streams that are wanted, as far as they can be read.
func readStreams(f io.ReaderAt, size int64) (streams map[string]bytes, err error) {
	box, err := mscfb.New(f)
	if err != nil {
		return nil, unreadable(err)
	}
	streams = map[string]bytes{}
	for _, e := range box.File {
		name := e.Name
		if e.Initial == 5 { // of a property set: the name begins with that character
			name = "\x05" + name
		}
		if _, twice := streams[name]; twice || len(e.Path) > 0 {
			continue // of an embedded document
		}
		switch name {
		case "WordDocument", "0Table", "1Table", "\x05SummaryInformation":
		default:
			continue
		}
		if e.Size > maxStream && e.Size <= size {
			return nil, block.Errorf(block.CodeTooLarge, "This document has more than %d MiB of text and properties. Split it into smaller documents.", maxStream>>20)
		}
		streams[name] = readStream(e, min(e.Size, size, maxStream))
	}
	return streams, nil
}

// unreadable is the error of a container that can't be opened.
func unreadable(err error) error {
	var e mscfb.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("opening the document: %w", err)
	}
	return block.Errorf(block.CodeCorrupt, "This document is damaged or incomplete: it can't be opened (%v). Save it again and send it again.", err)
}

// readStream reads a stream up to where it can't be read any more.
func readStream(r io.Reader, size int64) bytes {
	var b bytes
	buf := make([]byte, 32<<10)
	for int64(len(b)) < size {
		n, err := r.Read(buf[:min(int64(len(buf)), size-int64(len(b)))])
		b = append(b, buf[:n]...)
		if err != nil || n == 0 {
			break
		}
	}
	return b
}
