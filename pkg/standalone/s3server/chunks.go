package s3server

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rclone/gofakes3"
)

// The framing that S3 clients call aws-chunked, within the HTTP body:
//
//	<hex length>[;chunk-signature=<hex>]\r\n <bytes> \r\n      any number of times
//	0[;chunk-signature=<hex>]\r\n                               the last one
//	<name>:<value>\n ...                                       trailers, when announced
//	[\r\n x-amz-trailer-signature:<hex>\r\n]                  when the chunks are signed
//	\r\n
//
// Each signature covers the chunk and the signature before it, the first one
// that of the request ("Signature Calculations for the Authorization Header:
// Transferring Payload in Multiple Chunks", Amazon S3 API reference).
const (
	streamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	maxChunkLine = 1 << 10 // bytes of a chunk header or trailer line
	maxTrailers  = 16
	// Signed chunks are checked when they end, after their bytes have gone
	// on; nothing becomes visible before the whole body has been checked.
	maxChunk = maxObject
)

// chunks reads the content out of the framing.
type chunks struct {
	r        *bufio.Reader
	trailers []string // announced, lower case
	sign     *chunkSigner
	left     int64 // bytes left of this chunk
	open     bool  // a chunk has begun and its closing line is unread
	last     bool  // the zero-length chunk was read
	sig      string
}

func newChunks(r *http.Request, digest, secret string) (*chunks, gofakes3.Error) {
	c := &chunks{r: bufio.NewReaderSize(r.Body, 64<<10)}
	switch digest {
	case streamingSigned, streamingSignedTrailer:
		s, err := newChunkSigner(r, secret)
		if err != nil {
			return nil, err
		}
		c.sign = s
	case streamingUnsignedTrailer:
	default:
		return nil, badRequest(gofakes3.ErrNotImplemented, "x-amz-content-sha256 %s is not supported", digest)
	}
	if digest != streamingSigned {
		for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
				c.trailers = append(c.trailers, name)
			}
		}
	}
	return c, nil
}

// Errors are made anew each time: gofakes3 writes a request's id into them.
func errChunkFraming() gofakes3.Error {
	return badRequest(gofakes3.ErrIncompleteBody, "the aws-chunked framing of the body is broken")
}

func errChunkSignature() gofakes3.Error {
	return badRequest(gofakes3.ErrBadDigest, "a chunk's signature did not match the content received")
}

func (c *chunks) Read(b []byte) (int, error) {
	for c.left == 0 {
		if c.last {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n, err := c.r.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	if c.sign != nil {
		_, _ = c.sign.hash.Write(b[:n])
	}
	if errors.Is(err, io.EOF) {
		err = errChunkFraming()
	}
	return n, err
}

// next closes the chunk that ended, if any, and reads the next one's header.
func (c *chunks) next() error {
	if c.open {
		if err := c.close(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, _ := strings.Cut(line, ";")
	n, perr := strconv.ParseInt(strings.TrimSpace(size), 16, 64)
	if perr != nil || n < 0 || n > maxChunk {
		return errChunkFraming()
	}
	c.sig = strings.TrimPrefix(strings.TrimSpace(ext), "chunk-signature=")
	c.left, c.open, c.last = n, true, n == 0
	if c.last && c.sign != nil && !c.sign.chunk(c.sig) {
		return errChunkSignature()
	}
	return nil
}

// close reads the line end after a chunk's bytes and checks its signature.
func (c *chunks) close() error {
	c.open = false
	if line, err := c.line(); err != nil {
		return err
	} else if line != "" {
		return errChunkFraming()
	}
	if c.sign != nil && !c.sign.chunk(c.sig) {
		return errChunkSignature()
	}
	return nil
}

// end reads the rest of the framing after the last byte of content and returns
// the trailers by lower-case name.
func (c *chunks) end() (map[string]string, gofakes3.Error) {
	if c.left > 0 {
		return nil, errChunkFraming()
	}
	for !c.last {
		if err := c.next(); err != nil {
			var known gofakes3.Error
			if errors.As(err, &known) {
				return nil, known
			}
			return nil, errChunkFraming()
		}
		if !c.last {
			return nil, errChunkFraming() // more content than announced
		}
	}
	return c.readTrailers()
}

func (c *chunks) readTrailers() (map[string]string, gofakes3.Error) {
	out := map[string]string{}
	var signed strings.Builder
	toSign := c.sign != nil && len(c.trailers) > 0
	for range maxTrailers {
		line, err := c.line()
		// A signature comes after an empty line of its own.
		if err == nil && line == "" && toSign && out["x-amz-trailer-signature"] == "" && signed.Len() > 0 {
			continue
		}
		// Clients without trailers may end the body at once.
		if errors.Is(err, io.ErrUnexpectedEOF) || err == nil && line == "" {
			break
		}
		if err != nil {
			return nil, errChunkFraming()
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, errChunkFraming()
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		out[name] = value
		if name != "x-amz-trailer-signature" {
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	if toSign && !c.sign.trailer(out["x-amz-trailer-signature"], signed.String()) {
		return nil, errChunkSignature()
	}
	return out, nil
}

// line reads one line without its end.
func (c *chunks) line() (string, error) {
	var line []byte
	for {
		part, err := c.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return strings.TrimRight(string(line), "\r\n"), nil
		}
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return "", io.ErrUnexpectedEOF
		}
		if !errors.Is(err, bufio.ErrBufferFull) || len(line) > maxChunkLine {
			return "", errChunkFraming()
		}
	}
}

// chunkSigner verifies the chain of signatures.
type chunkSigner struct {
	key   []byte
	date  string // as in the request, ISO 8601 basic
	scope string
	prev  string
	hash  hash.Hash // of the chunk being read
}

// newChunkSigner takes the chain's first link from a request whose own
// signature has been verified.
func newChunkSigner(r *http.Request, secret string) (*chunkSigner, gofakes3.Error) {
	auth := map[string]string{}
	_, fields, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		auth[name] = value
	}
	_, scope, _ := strings.Cut(auth["Credential"], "/")
	parts := strings.Split(scope, "/")
	if len(parts) != 4 || auth["Signature"] == "" {
		return nil, badRequest(gofakes3.ErrInvalidRequest, "signed chunks need a request signed in its Authorization header")
	}
	key := []byte("AWS4" + secret)
	for _, p := range parts {
		key = sign(key, p)
	}
	return &chunkSigner{key: key, date: r.Header.Get("X-Amz-Date"), scope: scope, prev: auth["Signature"], hash: sha256.New()}, nil
}

func sign(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(text))
	return m.Sum(nil)
}

// chunk checks the signature of the chunk whose bytes were written to hash.
func (s *chunkSigner) chunk(got string) bool {
	empty := sha256.Sum256(nil)
	text := strings.Join([]string{"AWS4-HMAC-SHA256-PAYLOAD", s.date, s.scope, s.prev,
		hex.EncodeToString(empty[:]), hex.EncodeToString(s.hash.Sum(nil))}, "\n")
	s.hash.Reset()
	return s.link(got, text)
}

func (s *chunkSigner) trailer(got, headers string) bool {
	sum := sha256.Sum256([]byte(headers))
	return s.link(got, strings.Join([]string{"AWS4-HMAC-SHA256-TRAILER", s.date, s.scope, s.prev, hex.EncodeToString(sum[:])}, "\n"))
}

func (s *chunkSigner) link(got, text string) bool {
	want := hex.EncodeToString(sign(s.key, text))
	s.prev = want
	return hmac.Equal([]byte(want), []byte(got))
}
