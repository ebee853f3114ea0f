// Package pdftest writes small PDF files for tests: well-formed ones with
// text at chosen places, and every kind of broken one by way of raw objects.
package pdftest

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"crypto/rc4"
	"fmt"
	"strings"
)

// File is a PDF under construction: numbered objects and a trailer.
type File struct {
	objects []object
	info    int
	version string

	key []byte // encrypts streams when set
	o   []byte // owner entry of the encryption dictionary
}

type object struct {
	dict   string // or any other value
	stream []byte // nil when it is no stream
}

// NewFile makes a file without objects.
func NewFile() *File { return &File{version: "1.7"} }

// Add adds an object, such as "<< /Type /Page >>", and returns its number.
func (f *File) Add(body string) int {
	f.objects = append(f.objects, object{dict: body})
	return len(f.objects)
}

// Reserve gives out a number for an object that Set defines.
func (f *File) Reserve() int { return f.Add("null") }

// Set defines the object with a number.
func (f *File) Set(number int, body string) { f.objects[number-1].dict = body }

// AddStream adds a stream, compressed. entries are further ones of its dictionary.
func (f *File) AddStream(entries string, data []byte) int {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	w.Write(data)
	w.Close()
	return f.AddRawStream(entries+" /Filter /FlateDecode", b.Bytes())
}

// AddRawStream adds a stream of bytes as they are in the file.
func (f *File) AddRawStream(entries string, data []byte) int {
	f.objects = append(f.objects, object{dict: entries, stream: append([]byte{}, data...)})
	return len(f.objects)
}

// Encrypt protects the file with a password to open it, by the 40-bit RC4 of
// PDF 1.1 that every reader knows. Strings outside streams must not be used in such a file.
func (f *File) Encrypt(password string) {
	pad := []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A")
	padded := append([]byte(password), pad...)[:32]
	ownerKey := md5.Sum(padded)
	f.o = encrypted(ownerKey[:5], padded)
	h := md5.New()
	h.Write(padded)
	h.Write(f.o)
	h.Write([]byte{0xfc, 0xff, 0xff, 0xff}) // /P -4
	h.Write(fileID)
	f.key = h.Sum(nil)[:5]
}

var fileID = []byte("0123456789abcdef")

func encrypted(key, data []byte) []byte {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // the key's length is fixed
	}
	out := make([]byte, len(data))
	c.XORKeyStream(out, data)
	return out
}

func (f *File) streamKey(number int) []byte {
	sum := md5.Sum(append(append([]byte{}, f.key...), byte(number), byte(number>>8), byte(number>>16), 0, 0))
	return sum[:10]
}

// Bytes is the file with the object root as its catalog.
func (f *File) Bytes(root int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%%PDF-%s\n%%\xe2\xe3\xcf\xd3\n", f.version)
	var offsets []int
	for i, o := range f.objects {
		offsets = append(offsets, b.Len())
		if o.stream == nil {
			fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o.dict)
			continue
		}
		data := o.stream
		if f.key != nil {
			data = encrypted(f.streamKey(i+1), data)
		}
		fmt.Fprintf(&b, "%d 0 obj\n<< %s /Length %d >>\nstream\n%s\nendstream\nendobj\n", i+1, o.dict, len(data), data)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, at := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root %d 0 R", len(offsets)+1, root)
	if f.info != 0 {
		fmt.Fprintf(&b, " /Info %d 0 R", f.info)
	}
	if f.key != nil {
		pad := encrypted(f.key, []byte("\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"))
		fmt.Fprintf(&b, " /ID [<%x> <%x>] /Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%x> /U <%x> >>", fileID, fileID, f.o, pad)
	}
	fmt.Fprintf(&b, " >>\nstartxref\n%d\n%%%%EOF\n", xref)
	return b.Bytes()
}

// Literal writes text as a PDF string in WinAnsi, the encoding of Doc's fonts.
// Characters that it doesn't have become question marks.
func Literal(text string) string {
	var b strings.Builder
	b.WriteByte('(')
	for _, r := range text {
		c := winAnsi(r)
		switch {
		case c == '(' || c == ')' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(')')
	return b.String()
}

func winAnsi(r rune) byte {
	if r < 0x80 || r >= 0xa0 && r <= 0xff {
		return byte(r)
	}
	for c, s := range map[byte]rune{0x80: '€', 0x85: '…', 0x91: '‘', 0x92: '’', 0x93: '“', 0x94: '”', 0x95: '•', 0x96: '–', 0x97: '—'} {
		if r == s {
			return c
		}
	}
	return '?'
}
