// Package archive reads the parts of zip containers (Office Open XML and its
// like) within limits, so that no small file can expand into a large one: a
// part is only ever streamed, and the bytes that come out of all of them
// together count against one budget.
package archive

import (
	"archive/zip"
	"cmp"
	"errors"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// maxDirectory bounds the bytes of the central directory: room for 100,000 parts, some 30 MB
	// once read.
	maxDirectory = 8 << 20
	// maxPart bounds what may come out of one part.
	maxPart = 64 << 20
	// maxExpanded is the budget of a whole archive when Limits don't say.
	maxExpanded = 256 << 20
	// Deflate can't do better than 1032:1. XML of real documents stays below 50:1; the exceptions
	// are small, so the ratio only counts for parts above ratioFloor.
	maxRatio   = 200
	ratioFloor = 4 << 20
	// maxParts bounds the parts of an archive when Limits don't say.
	maxParts = 100_000
)

// Limits bound an archive. Zero means the defaults.
type Limits struct {
	Expanded int64 // all that is read from the archive together, in bytes
	Part     int64 // one part, in bytes
	Parts    int   // how many there may be
	Ratio    int   // how many times its packed size a part may expand to
	Nesting  int   // of elements in its XML; the readers of that ask for it
}

// LimitsOf are the limits that a parse is given.
func LimitsOf(o block.Options) Limits {
	return Limits{Expanded: o.MaxExpanded, Parts: o.MaxParts, Ratio: o.MaxRatio, Nesting: o.MaxNesting}
}

// Archive is an open zip container. It is for one goroutine.
type Archive struct {
	parts  map[string]*zip.File
	left   int64
	limits Limits
}

// Open reads the directory of a zip container of size bytes. An error is a
// *block.Error (corrupt or bomb) or comes from reading r.
func Open(r io.ReaderAt, size int64, l Limits) (*Archive, error) {
	meter := &meteredReaderAt{r: r, left: maxDirectory}
	z, err := zip.NewReader(meter, size)
	if meter.spent {
		return nil, block.Errorf(block.CodeBomb, "This file is a zip archive with too many parts: its directory is over %d MiB. Send the documents in it one by one.", maxDirectory>>20)
	}
	if err != nil {
		if meter.err != nil {
			return nil, meter.err
		}
		return nil, block.Errorf(block.CodeCorrupt, "This file is damaged or incomplete: it is a zip archive that can't be opened (%v). Save it again and send it again.", err)
	}
	meter.open = true
	l = l.withDefaults()
	if len(z.File) > l.Parts {
		return nil, block.Errorf(block.CodeBomb, "This file was refused: it is a zip archive of %d parts, more than the %d that are taken. Send the documents in it one by one.", len(z.File), l.Parts)
	}
	a := &Archive{parts: make(map[string]*zip.File, len(z.File)), left: l.Expanded, limits: l}
	for _, f := range z.File {
		name := canonical(f.Name)
		if _, twice := a.parts[name]; twice || strings.HasSuffix(name, "/") {
			continue // the first of two wins, as in most readers
		}
		a.parts[name] = f
	}
	return a, nil
}

func (l Limits) withDefaults() Limits {
	l.Expanded = cmp.Or(max(l.Expanded, 0), maxExpanded)
	l.Part = cmp.Or(max(l.Part, 0), maxPart)
	l.Parts = cmp.Or(max(l.Parts, 0), maxParts)
	l.Ratio = cmp.Or(max(l.Ratio, 0), maxRatio)
	return l
}

// Limits are those that the archive was opened with, defaults filled in.
func (a *Archive) Limits() Limits { return a.limits }

// Names lists the parts, in the form in which names are compared, sorted.
func (a *Archive) Names() []string { return slices.Sorted(maps.Keys(a.parts)) }

// canonical is the form under which part names are compared: Office Open XML
// names are case-insensitive, and some writers use backslashes.
func canonical(name string) string {
	name = strings.ToLower(strings.ReplaceAll(name, `\`, "/"))
	dir := strings.HasSuffix(name, "/")
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	if dir {
		name += "/"
	}
	return name
}

// Has reports whether there is a part of that name.
func (a *Archive) Has(name string) bool {
	_, ok := a.parts[canonical(name)]
	return ok
}

// ErrNoPart is returned by Part for a name that isn't there.
var ErrNoPart = errors.New("no such part in the archive")

// Part opens one part for streaming. It and reading fail with a *block.Error:
// bomb when the part or the archive expands beyond its limits, corrupt when its
// compressed data is damaged. What the directory says a part expands to is
// believed: more than that never comes out of it.
func (a *Archive) Part(name string) (io.ReadCloser, error) {
	f, ok := a.parts[canonical(name)]
	if !ok {
		return nil, ErrNoPart
	}
	if f.Flags&1 != 0 {
		return nil, block.Errorf(block.CodeEncrypted, "This file is encrypted with a password (part %q). Save it without one.", f.Name)
	}
	p := &partReader{a: a, name: f.Name, packed: int64(f.CompressedSize64)}
	if err := p.within(int64(min(f.UncompressedSize64, math.MaxInt64)), a.left); err != nil {
		return nil, err
	}
	rc, err := f.Open()
	if err != nil {
		return nil, block.Errorf(block.CodeCorrupt, "This file is damaged: its part %q can't be unpacked (%v).", f.Name, err)
	}
	p.rc = rc
	return p, nil
}

// partReader counts what comes out of a part against the archive's budget.
type partReader struct {
	rc     io.ReadCloser
	a      *Archive
	name   string
	packed int64 // compressed bytes, as the directory says: a lie only makes the ratio stricter or is caught by the budgets
	out    int64
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.rc.Read(b)
	p.out += int64(n)
	p.a.left -= int64(n)
	if err := p.within(p.out, p.a.left+p.out); err != nil {
		return 0, err
	}
	if err != nil && err != io.EOF {
		return n, block.Errorf(block.CodeCorrupt, "This file is damaged: its part %q can't be unpacked (%v).", p.name, err)
	}
	return n, err
}

// within checks a size of the part against the limits; left is what of the
// archive's budget there was for all of it.
func (p *partReader) within(size, left int64) error {
	l := p.a.limits
	switch {
	case size > l.Part:
		return block.Errorf(block.CodeBomb, "This file was refused: its part %q expands to more than %d MiB. Split it into smaller documents.", p.name, l.Part>>20)
	case size > left:
		return block.Errorf(block.CodeBomb, "This file was refused: it expands to more than the %d MiB that are taken, in part %q. Split it into smaller documents.", l.Expanded>>20, p.name)
	case size > ratioFloor && size/int64(l.Ratio) > p.packed:
		return block.Errorf(block.CodeBomb, "This file was refused: its part %q expands to more than %d times its size. If it is a real document, save it anew in the program it was made with.", p.name, l.Ratio)
	}
	return nil
}

func (p *partReader) Close() error { return p.rc.Close() }

// meteredReaderAt bounds what zip.NewReader reads and so how many parts it
// lists: the count in the archive's own trailer needn't be true.
type meteredReaderAt struct {
	r     io.ReaderAt
	left  int64
	open  bool // the directory is read, no more metering
	spent bool
	err   error // of r itself
}

func (m *meteredReaderAt) ReadAt(b []byte, off int64) (int, error) {
	if !m.open {
		if m.left -= int64(len(b)); m.left < 0 {
			m.spent = true
			return 0, errors.New("directory too large")
		}
	}
	n, err := m.r.ReadAt(b, off)
	if err != nil && err != io.EOF {
		m.err = err
	}
	return n, err
}
