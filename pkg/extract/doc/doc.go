// Package doc turns Word 97-2003 documents into blocks ([MS-DOC]). A document
// is an OLE container: its stream WordDocument begins with the file information
// block, which says where the text is (in pieces, in any order), and where the
// properties of paragraphs and characters are. The text of the body, of notes,
// headers, comments and text boxes stands one after the other, and the
// positions in all of them are counted in characters from the body's start.
//
// Word 6 and 95 have the same in an older form, Word 2 in one still older and
// without a container. Of their documents the text and the tables are read; what
// would tell headings and lists is not.
package doc

import (
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/numbering"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Version changes whenever the output for some file changes.
const Version = "2"

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
	d.readLists()
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
	main     ole.Bytes        // stream WordDocument
	table    ole.Bytes        // stream 0Table or 1Table
	old      bool             // of Word 6 or 95, or older
	word2    bool             // of Word 2
	narrow   *charmap.Charmap // of text with one byte a character
	progress *block.Progress
	meta     block.Metadata

	pieces     []piece
	left       int // characters that may still be read
	cut        bool
	styles     []style
	lists      []*numbering.List
	paragraphs []paragraph
	unseen     []span // text that isn't shown, by its place in the stream

	notes  map[int]string // mark of the note that is referred to at a character of the body
	blocks int
	asides int
}

// open reads the streams of the container and the start of the file information
// block.
func (d *document) open(f *os.File, size int64) error {
	head := make([]byte, 2)
	if _, err := f.ReadAt(head, 0); err == nil && string(head) == "\xdb\xa5" {
		return d.openWord2(f, size)
	}
	box, err := ole.Open(f, size)
	if err != nil {
		return err
	}
	for _, name := range []string{"WordDocument", "0Table", "1Table"} {
		if box.Size(name) > maxStream {
			return block.Errorf(block.CodeTooLarge, "This document has more than %d MiB of text and properties. Split it into smaller documents.", maxStream>>20)
		}
	}
	d.main = box.Stream("WordDocument", maxStream)
	ident, fib := d.main.U16(0), d.main.U16(2)
	flags := d.main.U16(10)
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
	name := "0Table"
	if flags&0x0200 != 0 {
		name = "1Table"
	}
	d.table = box.Stream(name, maxStream)
	d.left = len(d.main) + 4096
	d.meta = ole.Summary(box.Stream("\x05SummaryInformation", maxStream))
	return nil
}

// openWord2 reads a document of Word 2, which is one stream: the file.
func (d *document) openWord2(f *os.File, size int64) error {
	if size > maxStream {
		return block.Errorf(block.CodeTooLarge, "This document has more than %d MiB. Split it into smaller documents.", maxStream>>20)
	}
	d.main = make([]byte, size)
	if _, err := f.ReadAt(d.main, 0); err != nil && err != io.EOF {
		return fmt.Errorf("reading the document: %w", err)
	}
	if d.main.U16(10)&0x0100 != 0 {
		return block.Errorf(block.CodeEncrypted, "This document is encrypted with a password. Save it without one, as DOCX.")
	}
	d.old, d.word2, d.narrow = true, true, charmap.Windows1252
	d.cut = d.main.U16(10)&4 != 0 // saved in haste: the pieces are in an order that isn't read
	d.left = len(d.main) + 4096
	return nil
}
