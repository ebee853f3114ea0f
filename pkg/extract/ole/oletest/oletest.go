// Package oletest makes OLE containers for tests.
package oletest

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	sector     = 512
	miniSector = 64
	miniCutoff = 4096
	none       = 0xffffffff
	endOfChain = 0xfffffffe
	ofFAT      = 0xfffffffd
)

// file is a container being made.
type file struct {
	fat     []uint32
	data    []byte
	miniFAT []uint32
	mini    []byte
	entries []byte
	count   uint32
}

// Container is an OLE file of these streams, by path: the storages that the
// slashes in it speak of are made.
func Container(t testing.TB, streams map[string][]byte) []byte {
	t.Helper()
	f := &file{}
	root := f.entry("Root Entry", 5)
	f.storage(root, "", streams)
	start, size := f.add(f.mini)
	f.set(root, 116, start)
	f.set(root, 120, size)
	for len(f.entries)%sector != 0 {
		f.entry("", 0)
	}
	dir, _ := f.add(f.entries)
	miniFAT := uint32(endOfChain)
	miniSectors := uint32(0)
	if len(f.miniFAT) > 0 {
		var table []byte
		for _, n := range f.miniFAT {
			table = binary.LittleEndian.AppendUint32(table, n)
		}
		for len(table)%sector != 0 {
			table = binary.LittleEndian.AppendUint32(table, none)
		}
		miniFAT, _ = f.add(table)
		miniSectors = uint32(len(table) / sector)
	}
	return f.pack(t, dir, miniFAT, miniSectors)
}

// storage writes the entries of the streams below a path, whose own entry is
// at.
func (f *file) storage(at uint32, path string, streams map[string][]byte) {
	kids := map[string]bool{} // name -> is a storage
	for _, p := range slices.Sorted(maps.Keys(streams)) {
		if rest, ok := strings.CutPrefix(p, path); ok {
			name, _, deeper := strings.Cut(rest, "/")
			kids[name] = deeper
		}
	}
	before := uint32(none)
	for _, name := range slices.Sorted(maps.Keys(kids)) {
		kind := byte(2)
		if kids[name] {
			kind = 1
		}
		e := f.entry(name, kind)
		if before == none {
			f.set(at, 76, e)
		} else {
			f.set(before, 72, e)
		}
		before = e
		if kids[name] {
			f.storage(e, path+name+"/", streams)
			continue
		}
		b, put := streams[path+name], f.add
		if len(b) < miniCutoff {
			put = f.addMini
		}
		start, size := put(b)
		f.set(e, 116, start)
		f.set(e, 120, size)
	}
}

// entry begins one of the directory.
func (f *file) entry(name string, kind byte) uint32 {
	e := make([]byte, 128)
	if name != "" {
		u := utf16.Encode([]rune(name))
		for k, c := range u {
			binary.LittleEndian.PutUint16(e[2*k:], c)
		}
		binary.LittleEndian.PutUint16(e[64:], uint16(2*len(u)+2))
	}
	e[66], e[67] = kind, 1
	for _, at := range []int{68, 72, 76} {
		binary.LittleEndian.PutUint32(e[at:], none)
	}
	f.entries = append(f.entries, e...)
	f.count++
	return f.count - 1
}

func (f *file) set(entry uint32, at int, v uint32) {
	binary.LittleEndian.PutUint32(f.entries[int(entry)*128+at:], v)
}

// add puts bytes into sectors of their own.
func (f *file) add(b []byte) (first, size uint32) {
	if len(b) == 0 {
		return endOfChain, 0
	}
	first = uint32(len(f.fat))
	for i := 0; i < len(b); i += sector {
		f.fat = append(f.fat, uint32(len(f.fat)+1))
		f.data = append(f.data, make([]byte, sector)...)
		copy(f.data[len(f.data)-sector:], b[i:])
	}
	f.fat[len(f.fat)-1] = endOfChain
	return first, uint32(len(b))
}

// addMini puts bytes into the stream of those that are small.
func (f *file) addMini(b []byte) (first, size uint32) {
	if len(b) == 0 {
		return endOfChain, 0
	}
	first = uint32(len(f.miniFAT))
	for i := 0; i < len(b); i += miniSector {
		f.miniFAT = append(f.miniFAT, uint32(len(f.miniFAT)+1))
		f.mini = append(f.mini, make([]byte, miniSector)...)
		copy(f.mini[len(f.mini)-miniSector:], b[i:])
	}
	f.miniFAT[len(f.miniFAT)-1] = endOfChain
	return first, uint32(len(b))
}

// pack puts header, sectors and the table of sectors together.
func (f *file) pack(t testing.TB, dir, miniFAT, miniSectors uint32) []byte {
	t.Helper()
	tables := 1
	for tables*(sector/4) < len(f.fat)+tables {
		tables++
	}
	if tables > 109 {
		t.Fatalf("%d sectors are too many for a container of tests", len(f.fat))
	}
	firstTable := len(f.fat)
	for range tables {
		f.fat = append(f.fat, ofFAT)
	}
	for len(f.fat) < tables*(sector/4) {
		f.fat = append(f.fat, none)
	}
	for _, n := range f.fat {
		f.data = binary.LittleEndian.AppendUint32(f.data, n)
	}
	header := make([]byte, sector)
	copy(header, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	for at, v := range map[int]uint16{0x18: 0x3e, 0x1a: 3, 0x1c: 0xfffe, 0x1e: 9, 0x20: 6} {
		binary.LittleEndian.PutUint16(header[at:], v)
	}
	for at, v := range map[int]uint32{0x2c: uint32(tables), 0x30: dir, 0x38: miniCutoff, 0x3c: miniFAT, 0x40: miniSectors, 0x44: endOfChain} {
		binary.LittleEndian.PutUint32(header[at:], v)
	}
	for i := range 109 {
		v := uint32(none)
		if i < tables {
			v = uint32(firstTable + i)
		}
		binary.LittleEndian.PutUint32(header[0x4c+4*i:], v)
	}
	return append(header, f.data...)
}
