// Package bombtest writes small files that expand into large ones, for tests:
// what a parser must refuse before it has grown. Every file is the same in
// every run, and none is larger than about 1 MiB.
package bombtest

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Bomb is one file that expands.
type Bomb struct {
	Name string // a file name, and with it what the file is
	What string // how it expands
	Code string // of the error that it must end in
	Raw  []byte
}

// All lists every bomb of this package.
func All() []Bomb {
	var all []Bomb
	for _, bombs := range [][]Bomb{pdfs(), zips(), documents(), mails(), pictures()} {
		all = append(all, bombs...)
	}
	return all
}

// part is one member of a zip archive: what it begins with, a filling that is
// repeated, and what it ends with.
type part struct {
	name  string
	begin string
	fill  string
	times int
	end   string
}

// archive packs parts. The filling is compressed once, and what came of that
// repeated: packing gigabytes takes milliseconds.
func archive(parts ...part) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, p := range parts {
		packed := deflated(p.begin, p.fill, p.times, p.end)
		sum := crc32.NewIEEE()
		_, _ = io.WriteString(sum, p.begin)
		size := uint64(len(p.begin) + len(p.end) + len(p.fill)*p.times)
		raw, err := w.CreateRaw(&zip.FileHeader{
			Name: p.name, Method: zip.Deflate, CRC32: sum.Sum32(),
			CompressedSize64: uint64(len(packed)), UncompressedSize64: size,
		})
		if err == nil {
			_, err = raw.Write(packed)
		}
		if err != nil {
			panic(err) // a buffer takes everything
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// deflated compresses begin, times repetitions of fill, and end.
func deflated(begin, fill string, times int, end string) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	write := func(s string) []byte {
		out.Reset()
		if _, err := io.WriteString(w, s); err != nil {
			panic(err)
		}
		if err := w.Flush(); err != nil {
			panic(err)
		}
		return bytes.Clone(out.Bytes())
	}
	var all bytes.Buffer
	all.Write(write(begin))
	if times > 0 {
		all.Write(write(fill))
		// What follows refers back to the same filling every time.
		again := write(fill)
		for range times - 1 {
			all.Write(again)
		}
	}
	all.Write(write(end))
	out.Reset()
	if err := w.Close(); err != nil {
		panic(err)
	}
	all.Write(out.Bytes())
	return all.Bytes()
}

func spaces(n int) string { return strings.Repeat(" ", n) }

// Write writes the bombs that a parser must refuse and CircularOutline into
// dir, the bombs named bomb-01.pdf and so on.
func Write(dir string) error {
	n := 0
	for _, b := range All() {
		if b.Code == "" {
			continue
		}
		n++
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("bomb-%02d%s", n, filepath.Ext(b.Name))), b.Raw, 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "circular.pdf"), CircularOutline(), 0o600)
}
