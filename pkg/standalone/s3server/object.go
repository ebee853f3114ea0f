package s3server

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// An object's file is its body, then its metadata as JSON, then a tail of
// tailSize bytes: magic, length and CRC-32C of the JSON (big endian). Body and
// metadata thus appear together by one rename, and the body begins at offset 0.
const (
	tailMagic = "docsvcS1"
	tailSize  = len(tailMagic) + 4 + 4
	// footerRead is read from a file's end at once; most metadata fits.
	footerRead = 4096
	// maxFooter bounds what a damaged length makes us read. Headers are
	// limited to far less by the HTTP server.
	maxFooter = 1 << 20
)

// info is the metadata of an object.
type info struct {
	Key      string            `json:"key"`
	Size     int64             `json:"size"` // bytes
	MD5      string            `json:"md5"`  // hex; the ETag
	Modified time.Time         `json:"modified"`
	Headers  map[string]string `json:"headers,omitempty"` // content type and so on, canonical names
}

// damagedError says that a file below the data directory is not what this
// package wrote.
type damagedError struct {
	path   string
	reason string
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("the object file %s is damaged: %s", e.path, e.reason)
}

// hash returns the bytes of the ETag.
func (i *info) hash() []byte {
	b, err := hex.DecodeString(i.MD5)
	if err != nil {
		return nil
	}
	return b
}

// footer returns what follows the body.
func (i *info) footer() ([]byte, error) {
	text, err := json.Marshal(i)
	if err != nil {
		return nil, fmt.Errorf("encoding object metadata: %w", err)
	}
	out := append(text, tailMagic...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli))), nil
}

// openObject opens the file of an object and reads its metadata. The error
// satisfies os.ErrNotExist when there is no such object.
func openObject(path string) (*os.File, *info, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	i, err := readInfo(f)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, i, nil
}

// statObject reads the metadata of an object.
func statObject(path string) (*info, error) {
	f, i, err := openObject(path)
	if err != nil {
		return nil, err
	}
	return i, f.Close()
}

func readInfo(f *os.File) (*info, error) {
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	damaged := func(reason string) error { return &damagedError{f.Name(), reason} }
	n := min(st.Size(), footerRead)
	if n < int64(tailSize) {
		return nil, damaged("it is too short")
	}
	buf := make([]byte, n)
	if _, err := f.ReadAt(buf, st.Size()-n); err != nil {
		return nil, err
	}
	tail := buf[n-int64(tailSize):]
	if string(tail[:len(tailMagic)]) != tailMagic {
		return nil, damaged("its last bytes are not the ones written")
	}
	length := int64(binary.BigEndian.Uint32(tail[len(tailMagic):]))
	sum := binary.BigEndian.Uint32(tail[len(tailMagic)+4:])
	whole := length + int64(tailSize)
	if length > maxFooter || whole > st.Size() {
		return nil, damaged("its metadata has an impossible length")
	}
	if whole > n {
		buf = make([]byte, whole)
		if _, err := f.ReadAt(buf, st.Size()-whole); err != nil {
			return nil, err
		}
	}
	text := buf[int64(len(buf))-whole : len(buf)-tailSize]
	if crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, damaged("its metadata has another checksum")
	}
	i := new(info)
	if err := json.Unmarshal(text, i); err != nil {
		return nil, damaged("its metadata is not JSON: " + err.Error())
	}
	if i.Size != st.Size()-whole {
		return nil, damaged(fmt.Sprintf("it holds %d bytes instead of %d", st.Size()-whole, i.Size))
	}
	return i, nil
}

// body is a part of an object being read. WriteTo lets a response be sent
// without copying it through this process (sendfile).
type body struct {
	io.LimitedReader
	file *os.File
}

func newBody(f *os.File, offset, length int64) (*body, error) {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return &body{io.LimitedReader{R: f, N: length}, f}, nil
}

func (b *body) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, &b.LimitedReader) }

func (b *body) Close() error { return b.file.Close() }
