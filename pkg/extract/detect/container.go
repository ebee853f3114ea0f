package detect

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxListing bounds what is unpacked of a zip archive to tell what it is.
const maxListing = 4 << 20

// zipped tells what a zip archive is.
func zipped(r io.ReaderAt, size int64, h hints) (Format, error) {
	a, err := archive.Open(r, size, archive.Limits{Part: maxListing, Expanded: maxListing})
	if err != nil {
		if f, ok := h.format(); ok && !isZip(f.Name) {
			return Format{}, h.refuse(kind{name: "a zip archive, and a damaged one"})
		}
		return Format{}, err
	}
	if a.Has("[Content_Types].xml") {
		return officeFormat(a, h)
	}
	t := firstLine(a, "mimetype")
	for _, name := range []string{ODT, ODS, ODP} {
		if strings.HasPrefix(t, formatNamed(name).MIME) {
			return formatNamed(name), nil
		}
	}
	switch {
	case t == formatNamed(EPUB).MIME, t == "" && a.Has("META-INF/container.xml"):
		return formatNamed(EPUB), nil
	case strings.HasPrefix(t, odf):
		return Format{}, h.refuse(kind{name: "an OpenDocument file (" + t + ")", advice: "Save it as PDF."})
	case a.Has("META-INF/MANIFEST.MF"):
		return Format{}, h.refuse(kind{name: "a Java archive"})
	}
	return Format{}, h.refuse(kind{name: "a zip archive", advice: "Unpack it and send the documents in it."})
}

// isZip reports whether files of a format are zip archives.
func isZip(format string) bool {
	switch format {
	case DOCX, PPTX, XLSX, ODT, ODS, ODP, EPUB:
		return true
	}
	return false
}

// officeFormat tells the kinds of Office Open XML apart: by the content type of
// the main part, else by its usual name, where content types are wrong.
func officeFormat(a *archive.Archive, h hints) (Format, error) {
	pkg, err := ooxml.Open(context.Background(), a) // a few megabytes at most
	if err != nil {
		return Format{}, err
	}
	kinds := []struct {
		format, main string
		types        []string
	}{
		{DOCX, "word/document.xml", []string{"wordprocessingml.document.main", "wordprocessingml.template.main",
			"ms-word.document.macroenabled", "ms-word.template.macroenabled"}},
		{PPTX, "ppt/presentation.xml", []string{"presentationml.presentation.main", "presentationml.slideshow.main", "presentationml.template.main",
			"ms-powerpoint.presentation.macroenabled", "ms-powerpoint.slideshow.macroenabled", "ms-powerpoint.template.macroenabled"}},
		{XLSX, "xl/workbook.xml", []string{"spreadsheetml.sheet.main", "spreadsheetml.template.main",
			"ms-excel.sheet.macroenabled", "ms-excel.template.macroenabled"}},
	}
	for _, k := range kinds {
		if slices.ContainsFunc(k.types, pkg.HasType) {
			return formatNamed(k.format), nil
		}
	}
	if pkg.HasType("ms-excel.sheet") {
		return Format{}, h.refuse(kind{name: "an Excel workbook in binary form (XLSB)", advice: "Save it as XLSX or PDF."})
	}
	for _, k := range kinds {
		if a.Has(k.main) {
			return formatNamed(k.format), nil
		}
	}
	return Format{}, h.refuse(kind{name: "an Office file, but not a text document", advice: "Save it as PDF."})
}

func firstLine(a *archive.Archive, part string) string {
	rc, err := a.Part(part)
	if err != nil {
		return ""
	}
	defer func() { _ = rc.Close() }()
	b := make([]byte, 200)
	n, _ := io.ReadFull(rc, b)
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	return strings.TrimSpace(line)
}

// oleMagic begins the container of Office before 2007, which also wraps
// encrypted documents of today.
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// ole tells what such a container is, by the names in its directory.
func ole(r io.ReaderAt, size int64, h hints) (Format, error) {
	entries := oleEntries(r, size)
	if f, err := oleFormat(topNames(entries)); f.Name != "" || err != nil {
		return f, err
	}
	all := map[string]bool{}
	for _, e := range entries { // the order of the directory is damaged
		all[e.name] = true
	}
	if f, err := oleFormat(all); f.Name != "" || err != nil {
		return f, err
	}
	return Format{}, h.refuse(kind{name: "an old Office file (OLE container)", advice: "Save it as DOCX or PDF."})
}

// oleFormat tells the format by the names of streams; none when they don't say.
func oleFormat(names map[string]bool) (Format, error) {
	switch {
	case names["EncryptedPackage"]:
		return Format{}, block.Errorf(block.CodeEncrypted, "This document is encrypted with a password. Save it without one and upload it again.")
	case names["WordDocument"]:
		return formatNamed(DOC), nil
	case names["Workbook"], names["Book"]:
		return formatNamed(XLS), nil
	case names["PowerPoint Document"]:
		return formatNamed(PPT), nil
	case names["__properties_version1.0"]:
		return formatNamed(MSG), nil
	}
	return Format{}, nil
}

// oleEntry is one of the directory, with the entries that stand beside and
// within it by number.
type oleEntry struct {
	name               string
	left, right, child uint32
}

// topNames are the names that stand in the container itself, not in the storage
// of something that is embedded: a workbook may hold a Word document.
func topNames(entries []oleEntry) map[string]bool {
	names := map[string]bool{}
	if len(entries) == 0 {
		return names
	}
	seen := make([]bool, len(entries))
	open := []uint32{entries[0].child}
	for len(open) > 0 {
		n := open[len(open)-1]
		open = open[:len(open)-1]
		if n == 0 || uint64(n) >= uint64(len(entries)) || seen[n] {
			continue
		}
		seen[n] = true
		names[entries[n].name] = true
		open = append(open, entries[n].left, entries[n].right)
	}
	return names
}

// oleEntries reads a compound file's directory ([MS-CFB] 2.6), as far as it can
// be read; at most maxSectors sectors of it.
func oleEntries(r io.ReaderAt, size int64) []oleEntry {
	const maxSectors = 256
	header := make([]byte, 512)
	if _, err := r.ReadAt(header, 0); err != nil {
		return nil
	}
	shift := binary.LittleEndian.Uint16(header[0x1e:])
	if shift != 9 && shift != 12 {
		return nil
	}
	sector := int64(1) << shift
	at := func(n uint32) int64 { return (int64(n) + 1) * sector }
	var entries []oleEntry
	buf := make([]byte, sector)
	next := binary.LittleEndian.Uint32(header[0x30:])
	for range maxSectors {
		if next >= 0xfffffffa || at(next)+sector > size+sector { // a last sector may be cut short
			break
		}
		n, err := r.ReadAt(buf, at(next))
		if err != nil && err != io.EOF {
			break
		}
		for e := 0; e+128 <= n; e += 128 {
			at := func(i int) uint32 { return binary.LittleEndian.Uint32(buf[e+i:]) }
			entries = append(entries, oleEntry{name: oleName(buf[e : e+128]), left: at(68), right: at(72), child: at(76)})
		}
		// The file allocation table: its first 109 sectors are listed in the header.
		perSector := uint32(sector / 4)
		if next/perSector >= 109 {
			break
		}
		fat := binary.LittleEndian.Uint32(header[0x4c+4*(next/perSector):])
		entry := make([]byte, 4)
		if _, err := r.ReadAt(entry, at(fat)+4*int64(next%perSector)); err != nil {
			break
		}
		next = binary.LittleEndian.Uint32(entry)
	}
	return entries
}

// oleName is the name of a directory entry: UTF-16, its length in bytes with
// the final zero at offset 64.
func oleName(entry []byte) string {
	n := int(binary.LittleEndian.Uint16(entry[64:]))
	if n < 2 || n > 64 {
		return ""
	}
	u := make([]uint16, 0, 32)
	for i := 0; i+1 < n-1; i += 2 {
		u = append(u, binary.LittleEndian.Uint16(entry[i:]))
	}
	return string(utf16.Decode(u))
}
