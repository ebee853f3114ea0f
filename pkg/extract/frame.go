package extract

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// A frame is a 5 byte header, the payload's length (4 bytes, big endian) and
// the type, followed by the payload, a JSON value but for framePages.
type frameType byte

// From the parent.
const (
	frameSetup  frameType = 'S' // setupMessage, once, first
	frameMake   frameType = 'X' // bool: compile what is compiled once, true: although it is there; answered by done or error
	frameWarm   frameType = 'C' // null: load what parsers keep; answered by done or error
	frameJob    frameType = 'J' // jobMessage; the file's descriptor comes with the header
	framePaint  frameType = 'V' // paintMessage; likewise
	frameUnpack frameType = 'U' // unpackMessage; likewise
	frameHelp   frameType = 'h' // helpMessage, to the child that has a document: what became of the one that helps it
)

// Between two children that read one document, by way of the parent, which passes them on.
const (
	frameOrder frameType = 'o' // orderMessage, to the one that helps
	framePages frameType = 'p' // pages that it read, as its parser wrote them: not JSON
)

// From the child: ready once, then per request accepted, any number of the
// others, and done or error.
const (
	frameReady     frameType = 'R' // cage.Report: set up, waiting for a job
	frameAccepted  frameType = 'a' // null: the request was read; from here on a death counts against the document
	frameFormat    frameType = 'F' // formatMessage
	frameStarting  frameType = 'K' // bool: true when a parser begins to load what it keeps, false when it is done; before a document is parsed
	frameMeta      frameType = 'M' // block.Metadata
	frameBlocks    frameType = 'B' // []block.Block of the body
	frameAsides    frameType = 'A' // []block.Block
	frameWarning   frameType = 'W' // string
	framePageError frameType = 'P' // PageError
	framePage      frameType = 'N' // int: the page that is about to be read
	framePicture   frameType = 'O' // int: a page that is a picture
	frameProgress  frameType = 'G' // progressMessage
	frameImage     frameType = 'I' // imageMessage: an image begins
	frameImageData frameType = 'Z' // bytes, not JSON: the next piece of it
	frameWanted    frameType = 'H' // null: this document has pages that another child could read
	frameFile      frameType = 'L' // fileMessage: a file out of a document begins
	frameFileData  frameType = 'Y' // bytes, not JSON: the next piece of it
	frameDone      frameType = 'D' // null
	frameError     frameType = 'E' // errorMessage
)

// maxFrame bounds a payload in bytes. A child cuts blocks into pieces of
// maxPiece, which JSON can at most make six times as long.
const (
	maxFrame   = 16 << 20
	maxPiece   = 1 << 20
	headerSize = 5
)

type setupMessage struct {
	CacheDir    string `json:"cache_dir"`
	CodeStamp   string `json:"code_stamp"`
	Compiling   bool   `json:"compiling"` // the child is to compile, not to read documents
	MemoryLimit int64  `json:"memory_limit"`
}

type jobMessage struct {
	Name         string `json:"name"`
	DeclaredType string `json:"declared_type"`
	Password     string `json:"password,omitempty"`
	MaxExpanded  int64  `json:"max_expanded"`
	MaxNesting   int    `json:"max_nesting"`
	MaxOutput    int64  `json:"max_output"`
	MaxPages     int    `json:"max_pages"`
	MaxParts     int    `json:"max_parts"`
	MaxPixels    int    `json:"max_pixels"`
	MaxRatio     int    `json:"max_ratio"`

	Pages  block.PageRange `json:"pages"`  // what is left of a document that ended a child before
	Assist bool            `json:"assist"` // only to read pages for another child, as ordered
}

// orderMessage names pages to read; the zero value says that there will be none.
type orderMessage struct {
	First int `json:"first"`
	Last  int `json:"last"`
}

// helpMessage says that another child helps now, or does no more.
type helpMessage struct {
	Joined bool `json:"joined"`
	Broken int  `json:"broken,omitempty"` // the page that ended it, 0 for none
}

type formatMessage struct {
	Format   string   `json:"format"`
	MIME     string   `json:"mime"`
	Version  string   `json:"version"`
	Warnings []string `json:"warnings,omitempty"`
}

type progressMessage struct {
	Page  int    `json:"page"`
	Pages int    `json:"pages"`
	Stage string `json:"stage,omitempty"`
}

// codeNotCompiled is the code of an errorMessage that is not the file's: the
// parser finds no compiled code that it may use.
const codeNotCompiled = "not_compiled"

// errorMessage has an empty code when the failure is not the file's, such as
// a read error.
type errorMessage = block.Error

// errFrame wraps whatever makes a frame unacceptable.
var errFrame = errors.New("unacceptable frame")

// appendFrame appends one frame with v as its payload.
func appendFrame(b []byte, t frameType, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return b, fmt.Errorf("encoding a %q frame: %w", t, err)
	}
	if len(payload) > maxFrame {
		return b, fmt.Errorf("%w: %q of %d bytes", errFrame, t, len(payload))
	}
	return appendRaw(b, t, payload), nil
}

// appendRaw appends one frame with a payload as it is.
func appendRaw(b []byte, t frameType, payload []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	b = append(b, byte(t))
	return append(b, payload...)
}

// readFrame reads one frame. The payload is valid until buf is used again;
// it is returned with the capacity it has grown to. io.EOF is returned only
// between frames.
func readFrame(r io.Reader, buf []byte) (frameType, []byte, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, buf[:0], err
	}
	return readPayload(r, header, buf)
}

func readPayload(r io.Reader, header [headerSize]byte, buf []byte) (frameType, []byte, error) {
	t := frameType(header[4])
	n := int64(binary.BigEndian.Uint32(header[:4]))
	if n > maxFrame {
		return t, buf[:0], fmt.Errorf("%w: %q announces %d bytes", errFrame, t, n)
	}
	if int64(cap(buf)) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return t, buf[:0], err
	}
	return t, buf, nil
}

// decode reads a frame's payload into v.
func decode(t frameType, payload []byte, v any) error {
	if err := json.Unmarshal(payload, v); err != nil {
		return fmt.Errorf("%w: %q: %w", errFrame, t, err)
	}
	return nil
}
