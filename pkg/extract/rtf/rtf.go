// Package rtf turns Rich Text documents into blocks. It reads the file once
// from front to back and holds one paragraph or table row at a time, with the
// open groups, the fonts' charsets and the styles' levels.
//
// The body is what a reader sees: hidden text and text that tracked changes
// removed are left out. Headers and footers, notes, comments and text boxes
// stand apart. In the file they are groups within a paragraph of the body, so
// each opens a story of its own, and the story around it goes on when its group
// ends.
package rtf

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// maxNesting bounds open groups when the options don't say; Word stays below 50.
	maxNesting = 512
	// maxTable bounds the entries kept of the font table and of the style sheet each.
	maxTable = 10_000
	// checkEvery is how many tokens pass between two looks at the context.
	checkEvery = 4096
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0: a document has none until it is laid out.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	return Read(ctx, io.NewSectionReader(f, 0, size), size, o, sink)
}

// Read is Parse for a document of size bytes that is no file of its own.
func Read(ctx context.Context, r io.Reader, size int64, o block.Options, sink block.Sink) error {
	d := &document{
		ctx: ctx, sink: sink, progress: block.NewProgress(sink, size),
		lex:     lexer{r: bufio.NewReaderSize(r, 64<<10)},
		nesting: cmp.Or(max(o.MaxNesting, 0), maxNesting),
		fonts:   map[int]font{}, styles: map[int]style{}, seen: map[string]bool{},
	}
	d.stories = []*story{{put: d.body}}
	d.state = state{unicodeSkip: 1, outline: noOutline}
	return d.parse()
}

// document is one file being parsed.
type document struct {
	ctx      context.Context
	sink     block.Sink
	progress *block.Progress
	lex      lexer
	nesting  int

	state   state
	groups  []state // of the groups around the open one
	stories []*story
	skip    int // characters left of those that stand for the last \u

	codepage int // of the document; 0 when it doesn't say
	deff     int // the font of text that names none
	fonts    map[int]font
	charsets bool // some font has a charset of its own
	styles   map[int]style
	info     info

	pending   []byte // text in an encoding that isn't decoded yet
	pendingCP int
	raw       bool // some of pending stood in the file without escape
	surrogate rune // the first half of a character beyond the BMP
	captured  []byte

	notes  map[block.Kind]int
	seen   map[string]bool // headers and footers reported
	blocks int
	asides int
}

// state is what a group inherits and gives back at its end.
type state struct {
	dest        destination
	story       bool // the group opened a story
	font        int
	wideFont    int // for East Asian text, 0 for none
	wide        bool
	hidden      bool
	deleted     bool
	unicodeSkip int // characters after \u that stand for it

	style    int
	outline  int // from 0; noOutline for none
	level    int // of a list
	inTable  bool
	started  bool // something came after the group's "{"
	optional bool // it was "\*"
}

// noOutline is the level of text that is no heading, as in the file format.
const noOutline = 9

func (d *document) parse() error {
	d.notes = map[block.Kind]int{}
	for n := 1; ; n++ {
		if n%checkEvery == 0 {
			if err := d.ctx.Err(); err != nil {
				return err
			}
			if err := d.progress.At(d.lex.offset); err != nil {
				return err
			}
		}
		t, err := d.lex.next()
		if err == io.EOF {
			return d.finish(len(d.groups) > 1)
		}
		if err == nil {
			err = d.token(t)
		}
		if err != nil {
			return err
		}
		if len(d.groups) == 0 && t.kind == groupEnd {
			return d.finish(false)
		}
	}
}

// finish closes what is open at the end of the file.
func (d *document) finish(cut bool) error {
	if err := d.flush(); err != nil {
		return err
	}
	for len(d.stories) > 1 {
		if err := d.endStory(); err != nil {
			return err
		}
	}
	if err := d.stories[0].end(); err != nil {
		return err
	}
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if d.blocks+d.asides == 0 && cut {
		return block.Errorf(block.CodeCorrupt, "This document is incomplete: it ends before its text. Send it again.")
	}
	if d.blocks+d.asides == 0 {
		return block.Errorf(block.CodeNoText, "This document has no text.")
	}
	if err := d.sink.Meta(d.info.metadata()); err != nil {
		return err
	}
	if cut {
		if err := d.sink.Warn(block.TextIncomplete + "the document ends within a group; what came after that is missing"); err != nil {
			return err
		}
	}
	return d.progress.Finish()
}

func (d *document) token(t token) error {
	switch t.kind {
	case groupBegin:
		return d.begin()
	case groupEnd:
		return d.end()
	case text, escaped:
		d.character(t.char, t.kind == text)
		if len(d.pending) > maxPending {
			return d.flush()
		}
		return nil
	}
	return d.word(t)
}

// begin opens a group.
func (d *document) begin() error {
	if err := d.flush(); err != nil {
		return err
	}
	if len(d.groups) >= d.nesting {
		return block.Errorf(block.CodeBomb, "This document was refused: its groups are nested more than %d levels deep. If it is a real document, save it anew in the program it was made with.", d.nesting)
	}
	d.groups = append(d.groups, d.state)
	d.state.started, d.state.optional, d.state.story = false, false, false
	d.skip = 0
	return nil
}

// end closes a group.
func (d *document) end() error {
	if err := d.flush(); err != nil {
		return err
	}
	d.skip = 0
	if len(d.groups) == 0 {
		return nil
	}
	d.endDestination()
	if d.state.story {
		if err := d.endStory(); err != nil {
			return err
		}
	}
	d.state = d.groups[len(d.groups)-1]
	d.groups = d.groups[:len(d.groups)-1]
	return nil
}

// body gives a block of the body to the sink.
func (d *document) body(b block.Block) error {
	d.blocks++
	return d.sink.Block(b)
}
