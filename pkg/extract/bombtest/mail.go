package bombtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// mails nest parts, or have very many.
func mails() []Bomb {
	const head = "From: a@example.org\r\nTo: b@example.org\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n"
	var deep strings.Builder
	deep.WriteString(head)
	for i := range 10_000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return []Bomb{
		{"bomb.eml", "parts ten thousand deep", block.CodeBomb, []byte(deep.String())},
		{"bomb.eml", "messages ten thousand deep", block.CodeBomb, []byte(head + strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 10_000))},
		{"bomb.eml", "a hundred thousand parts", block.CodeBomb, []byte(head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n\r\n", 100_001))},
	}
}

// pictures say that they are larger than any memory.
func pictures() []Bomb {
	return []Bomb{{"bomb.png", "a picture of 10 gigapixels", block.CodeBomb, Picture(100_000, 100_000)}}
}

// Picture is a black grey-scale PNG of so many pixels, a thousandth of that in size or less.
func Picture(width, height int) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		_ = binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(kind), data...)
		b.Write(body)
		_ = binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(width))
	header = binary.BigEndian.AppendUint32(header, uint32(height))
	chunk("IHDR", append(header, 1, 0, 0, 0, 0)) // one bit per pixel
	chunk("IDAT", zlibbed(strings.Repeat("\x00", 1+(width+7)/8), min(64<<20, height*(1+(width+7)/8))))
	chunk("IEND", nil)
	return b.Bytes()
}
