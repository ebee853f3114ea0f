package s3server

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rclone/gofakes3"
)

// defaultStall is how long a client may send nothing of a body before it is
// given up.
const defaultStall = 2 * time.Minute

const (
	checksumPrefix = "X-Amz-Checksum-"
	crc64NVME      = 0x9a6c9329ac4bc9b5 // reversed polynomial of CRC-64/NVME, as S3 uses it
)

// check is a digest of the content to compare at its end.
type check struct {
	name string
	hash hash.Hash
	want []byte // nil until a trailer brings it
	code gofakes3.ErrorCode
}

// payload is a request's body: its content without framing. The read that
// delivers the last byte also delivers the verdict, because readers above stop
// there without asking for the end.
type payload struct {
	body   io.ReadCloser
	src    io.Reader // content
	length int64     // bytes of content, -1 when only its end tells
	left   int64
	checks []*check
	chunks *chunks // when aws-chunked
	ctl    *http.ResponseController
	stall  time.Duration
	done   bool
}

func newPayload(w http.ResponseWriter, r *http.Request, secret string, stall time.Duration) (*payload, gofakes3.Error) {
	p := &payload{body: r.Body, src: r.Body, length: r.ContentLength, ctl: http.NewResponseController(w), stall: stall}
	digest := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case strings.HasPrefix(digest, "STREAMING-"):
		if err := p.openChunks(r, digest, secret); err != nil {
			return nil, err
		}
	case digest == "" || digest == "UNSIGNED-PAYLOAD":
	default:
		want, err := hex.DecodeString(digest)
		if err != nil || len(want) != sha256.Size {
			return nil, badRequest(gofakes3.ErrInvalidArgument, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING value or a SHA-256 in hex")
		}
		p.checks = append(p.checks, &check{name: "x-amz-content-sha256", hash: sha256.New(), want: want, code: gofakes3.ErrBadDigest})
	}
	// The checksum of a whole object is gofakes3's to check and to keep, that
	// of a part it ignores. A completion carries the object's, not its body's.
	if r.Method == http.MethodPut && r.URL.Query().Has("partNumber") {
		if err := p.headerChecksums(r.Header); err != nil {
			return nil, err
		}
	}
	p.left = p.length
	return p, nil
}

// headerChecksums adds the x-amz-checksum-<algorithm> headers to the checks.
func (p *payload) headerChecksums(h http.Header) gofakes3.Error {
	for name, values := range h {
		algorithm, ok := strings.CutPrefix(name, checksumPrefix)
		algorithm = strings.ToLower(algorithm)
		if !ok || slices.Contains([]string{"algorithm", "mode", "type"}, algorithm) {
			continue
		}
		c, err := newChecksum(algorithm)
		if err != nil {
			return err
		}
		if err := c.expect(values[0]); err != nil {
			return err
		}
		p.checks = append(p.checks, c)
	}
	return nil
}

func newChecksum(algorithm string) (*check, gofakes3.Error) {
	c := &check{name: "x-amz-checksum-" + algorithm, code: gofakes3.ErrBadDigest}
	switch algorithm {
	case "crc32":
		c.hash = crc32.NewIEEE()
	case "crc32c":
		c.hash = crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		c.hash = crc64.New(crc64.MakeTable(crc64NVME))
	case "sha1":
		c.hash = sha1.New()
	case "sha256":
		c.hash = sha256.New()
	default:
		return nil, badRequest(gofakes3.ErrInvalidRequest, "%s is not a known checksum", c.name)
	}
	return c, nil
}

func (c *check) expect(value string) gofakes3.Error {
	want, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(want) != c.hash.Size() {
		return badRequest(gofakes3.ErrInvalidRequest, "the value of %s is not a checksum of that kind", c.name)
	}
	c.want = want
	return nil
}

// openChunks prepares for a body in aws-chunked framing.
func (p *payload) openChunks(r *http.Request, digest, secret string) gofakes3.Error {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return badRequest(gofakes3.ErrMissingContentLength, "x-amz-decoded-content-length is missing or not a number")
	}
	if length > maxObject {
		return badRequest(gofakes3.ErrEntityTooLarge, "an object sent in one request may have 5 GiB at most; use a multipart upload")
	}
	c, refused := newChunks(r, digest, secret)
	if refused != nil {
		return refused
	}
	p.length, p.chunks, p.src = length, c, c
	for _, name := range c.trailers {
		algorithm, ok := strings.CutPrefix(name, strings.ToLower(checksumPrefix))
		if !ok {
			continue
		}
		k, err := newChecksum(algorithm)
		if err != nil {
			return err
		}
		p.checks = append(p.checks, k)
	}
	return nil
}

func (p *payload) Read(b []byte) (int, error) {
	if p.done {
		return 0, io.EOF
	}
	if p.length >= 0 && int64(len(b)) > p.left {
		b = b[:p.left]
	}
	// Not every server under test has deadlines; then nothing is limited.
	_ = p.ctl.SetReadDeadline(time.Now().Add(p.stall))
	n, err := p.src.Read(b)
	for _, c := range p.checks {
		_, _ = c.hash.Write(b[:n])
	}
	p.left -= int64(n)
	if p.length >= 0 && p.left == 0 {
		if bad := p.finish(); bad != nil {
			return n, bad
		}
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		if p.length >= 0 {
			return n, gofakes3.ErrIncompleteBody
		}
		if bad := p.finish(); bad != nil {
			return n, bad
		}
	}
	return n, err
}

// finish reads what follows the content and compares the digests.
func (p *payload) finish() gofakes3.Error {
	p.done = true
	_ = p.ctl.SetReadDeadline(time.Time{})
	if p.chunks != nil {
		trailer, err := p.chunks.end()
		if err != nil {
			return err
		}
		for _, c := range p.checks {
			if c.want != nil {
				continue
			}
			if err := c.expect(trailer[c.name]); err != nil {
				return err
			}
		}
	}
	for _, c := range p.checks {
		if !bytes.Equal(c.hash.Sum(nil), c.want) {
			return badRequest(c.code, "the %s you specified did not match the content received", c.name)
		}
	}
	return nil
}

func (p *payload) Close() error { return p.body.Close() }
