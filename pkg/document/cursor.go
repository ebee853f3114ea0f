package document

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math"
)

// place is where a list goes on: after the document that was looked at last.
// The zero place is the beginning.
type place struct {
	id    string
	score float64 // of the id in the indexes
}

// cursorVersion is the first byte of a cursor.
const cursorVersion = 1

// cursorHead is the length of what stands before the id: version, checksum and
// score, in bytes.
const cursorHead = 1 + 8 + 8

// cursor writes a place down for a client: base64url of version, checksum,
// score and id.
func (f filter) cursor(at place) string {
	b := make([]byte, cursorHead, cursorHead+len(at.id))
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[9:], math.Float64bits(at.score))
	b = append(b, at.id...)
	copy(b[1:], f.checksum(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// place reads a cursor that these filters gave, "" being the beginning. Errors:
// Invalid cursor.
func (f filter) place(cursor string) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	wrong := invalid("cursor", "cursor %s is not one that a list with these filters gave: use next_cursor as it came, with the same filters.", printable(cursor))
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) <= cursorHead || b[0] != cursorVersion || subtle.ConstantTimeCompare(b[1:9], f.checksum(b)) != 1 {
		return place{}, wrong
	}
	at := place{id: string(b[cursorHead:]), score: math.Float64frombits(binary.BigEndian.Uint64(b[9:]))}
	if math.IsNaN(at.score) || math.IsInf(at.score, 0) {
		return place{}, wrong // no document has it: somebody made the cursor
	}
	return at, nil
}

// checksum ties a cursor to its filters and finds out that it was changed. It
// keeps nothing secret: whoever may list may begin anywhere.
func (f filter) checksum(b []byte) []byte {
	h := sha256.New()
	for _, part := range []string{string(f.status), f.tag, f.search, f.sum, string(b[9:])} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes everything
		h.Write([]byte(part))
	}
	return h.Sum(nil)[:8]
}
