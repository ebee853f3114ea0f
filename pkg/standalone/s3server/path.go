package s3server

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Keys map to paths so that any two keys can exist together ("x" and "x/y"),
// on any file system (no case, no Unicode form, no reserved name matters), and
// so that a directory's entries, decoded and sorted, give keys in byte order.
//
// A key is cut at "/" and every component again after each pieceSize bytes.
// Each piece is one directory entry, its kind followed by its escaped bytes:
//
//	d<piece>   the component ends here and "/" follows
//	c<piece>   exactly pieceSize bytes; the same component goes on, maybe with nothing
//	o<piece>   the object's file: the key ends here
//
// The sets of keys below the entries of one directory never interleave: a d
// or o piece is shorter than pieceSize, so that no entry's prefix ("piece/",
// "piece") is a proper prefix of another's, except for an o, which is one key
// and sorts first.
const (
	kindDir    = 'd'
	kindMore   = 'c'
	kindObject = 'o'
	pieceSize  = 80 // three bytes each when escaped, and one for the kind, stay below the usual 255
)

var errNotAnEntry = errors.New("not an entry of an object tree")

// objectPath returns the slash-separated path of key's file below the root of
// its bucket.
func objectPath(key string) string {
	var b strings.Builder
	b.Grow(len(key) + 8)
	for {
		component, rest, slash := strings.Cut(key, "/")
		for len(component) >= pieceSize {
			b.WriteByte(kindMore)
			escape(&b, component[:pieceSize])
			b.WriteByte('/')
			component = component[pieceSize:]
		}
		if !slash {
			b.WriteByte(kindObject)
			escape(&b, component)
			return b.String()
		}
		b.WriteByte(kindDir)
		escape(&b, component)
		b.WriteByte('/')
		key = rest
	}
}

// escape writes s with every byte but lower-case letters, digits, '.', '_' and
// '-' as %xx. Upper case is escaped because some file systems fold it.
func escape(b *strings.Builder, s string) {
	const digits = "0123456789abcdef"
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+3 > len(s) {
			return "", errNotAnEntry
		}
		raw, err := hex.DecodeString(s[i+1 : i+3])
		if err != nil {
			return "", errNotAnEntry
		}
		out = append(out, raw[0])
		i += 2
	}
	return string(out), nil
}

// entry is one decoded directory entry.
type entry struct {
	kind   byte
	file   string // name in the directory
	suffix string // what it adds to the key: the piece, with "/" for a kindDir
}

// readEntries returns the entries of dir in key order. Foreign files are left
// out. A directory that is gone has none.
func readEntries(dir string) ([]entry, error) {
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	names, err := f.Readdirnames(-1)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // removed since it was opened
	}
	if err != nil {
		return nil, err
	}
	entries := make([]entry, 0, len(names))
	for _, name := range names {
		if e, err := parseEntry(name); err == nil {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.suffix, b.suffix) })
	return entries, nil
}

func parseEntry(name string) (entry, error) {
	if name == "" {
		return entry{}, errNotAnEntry
	}
	piece, err := unescape(name[1:])
	if err != nil {
		return entry{}, err
	}
	switch name[0] {
	case kindDir:
		return entry{kindDir, name, piece + "/"}, nil
	case kindMore, kindObject:
		return entry{name[0], name, piece}, nil
	}
	return entry{}, errNotAnEntry
}

// parents returns the directories from root down to the one that holds path,
// which is slash-separated and relative to root.
func parents(root, path string) []string {
	dirs := []string{root}
	for i := range len(path) {
		if path[i] == '/' {
			dirs = append(dirs, filepath.Join(root, filepath.FromSlash(path[:i])))
		}
	}
	return dirs
}
