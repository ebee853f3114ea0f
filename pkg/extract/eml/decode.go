package eml

import (
	"bytes"
	"io"
)

// body is the content of a part with its transfer encoding undone, made of at
// most maxText bytes; cut tells that there is more.
func (p *part) body(src source) (raw []byte, cut bool, err error) { return p.read(src, maxText) }

// read is body for a part of which at most limit bytes are read.
func (p *part) read(src source, limit int64) (raw []byte, cut bool, err error) {
	size := min(p.end-p.start, limit+1)
	if size <= 0 {
		return nil, false, nil
	}
	raw = make([]byte, size)
	n, err := src.r.ReadAt(raw, p.start)
	if err != nil && err != io.EOF {
		return nil, false, err
	}
	raw = raw[:n]
	if int64(n) > limit {
		raw, cut = raw[:limit], true
	}
	switch p.encoding() {
	case "base64":
		raw = decodeBase64(raw)
	case "quoted-printable":
		raw = decodeQuoted(raw, false)
	}
	return raw, cut, nil
}

// decodedSize is about how many bytes a part has once it is decoded.
func (p *part) decodedSize() int64 {
	size := max(p.end-p.start, 0)
	if p.encoding() == "base64" {
		return (size - size/78*2) * 3 / 4 // lines of 76 characters and CR LF
	}
	return size
}

// decodeBase64 passes over what is not of the alphabet, and starts anew after
// padding: some gateways append lines of their own encoding.
func decodeBase64(in []byte) []byte {
	out := make([]byte, 0, len(in)*3/4+3)
	var acc uint32
	bits := 0
	for _, c := range in {
		var v uint32
		switch {
		case c >= 'A' && c <= 'Z':
			v = uint32(c - 'A')
		case c >= 'a' && c <= 'z':
			v = uint32(c-'a') + 26
		case c >= '0' && c <= '9':
			v = uint32(c-'0') + 52
		case c == '+', c == '-':
			v = 62
		case c == '/', c == '_':
			v = 63
		case c == '=':
			acc, bits = 0, 0
			continue
		default:
			continue
		}
		acc = acc<<6 | v
		if bits += 6; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

// decodeQuoted undoes quoted-printable. An "=" that stands for nothing stays.
// Within a word of a header there are no lines.
func decodeQuoted(in []byte, word bool) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		c := in[i]
		switch {
		case c == '=' && i+2 < len(in) && hex(in[i+1]) >= 0 && hex(in[i+2]) >= 0:
			out = append(out, byte(hex(in[i+1])<<4|hex(in[i+2])))
			i += 2
		case c == '=' && !word && softBreak(in[i+1:]) >= 0:
			i += softBreak(in[i+1:])
		case c == '\n' && !word:
			out = append(bytes.TrimRight(out, " \t\r"), '\n')
		default:
			out = append(out, c)
		}
	}
	return out
}

// softBreak is how many bytes end a line that goes on in the next, -1 when in
// doesn't begin with a line end.
func softBreak(in []byte) int {
	for i, c := range in {
		switch c {
		case '\n':
			return i + 1
		case ' ', '\t', '\r':
			if i > 80 { // not after that many blanks: reading them over and over would take long
				return -1
			}
		default:
			return -1
		}
	}
	return len(in)
}

func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
