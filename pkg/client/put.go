package client

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// expectFrom is the size in bytes from which a storage is asked whether it
	// wants the file before it is sent.
	expectFrom = 1 << 20
	// answerTime is how long a storage may take to answer when it has the
	// whole file: it may still have to write and check it.
	answerTime = 5 * time.Minute
)

// StorageError is what the storage answered to an upload.
type StorageError struct {
	Host    string
	Status  int
	Code    string // the storage's own, such as AccessDenied; may be empty
	Message string

	retryAfter time.Duration
}

func (e *StorageError) Error() string {
	text := fmt.Sprintf("the storage at %s refused the upload: ", e.Host)
	switch {
	case e.Code != "" && e.Message != "":
		return text + e.Code + ": " + e.Message
	case e.Code != "":
		return text + e.Code
	default:
		return fmt.Sprintf("%sstatus %d", text, e.Status)
	}
}

// errStalled ends an upload that stands still.
var errStalled = errors.New("the upload stalled")

// Put sends size bytes of file to the storage. progress, if not nil, is told
// how many bytes of this try were sent. Errors: *StorageError,
// *UnreachableError, or one of reading file.
func (c *Client) Put(ctx context.Context, up *Upload, file io.ReaderAt, size int64, progress func(sent int64)) error {
	u, err := url.Parse(up.URL)
	if err != nil {
		return errors.New("the server answered an upload URL that is none")
	}
	if progress == nil {
		progress = func(int64) {}
	}
	return c.insist(ctx, c.storageOutage, func(ctx context.Context) error {
		progress(0)
		return c.putOnce(ctx, u, up, file, size, progress)
	})
}

func (c *Client) putOnce(ctx context.Context, u *url.URL, up *Upload, file io.ReaderAt, size int64, progress func(int64)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	body := &meter{progress: progress, size: size, stall: c.c.Stall}
	body.timer = time.AfterFunc(c.c.Stall+dialTime, func() { cancel(errStalled) })
	defer body.timer.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodPut, up.URL, nil)
	if err != nil {
		return errors.New("the server answered an upload URL that is none")
	}
	req.GetBody = func() (io.ReadCloser, error) { return body.over(io.NewSectionReader(file, 0, size)), nil }
	if req.Body, err = req.GetBody(); err != nil {
		return err
	}
	req.ContentLength = size
	for name, value := range up.Headers {
		if !strings.EqualFold(name, "Content-Length") && !strings.EqualFold(name, "Host") {
			req.Header.Set(name, value)
		}
	}
	req.Header.Set("User-Agent", c.c.UserAgent)
	if size >= expectFrom {
		req.Header.Set("Expect", "100-continue")
	}
	answer, err := c.storage.Do(req)
	switch {
	case body.failed() != nil:
		if err == nil {
			drain(answer)
		}
		return body.failed()
	case errors.Is(context.Cause(ctx), errStalled):
		if body.all.Load() {
			return fmt.Errorf("the storage at %s took the whole file and did not answer for %s", u.Host, max(c.c.Stall, answerTime))
		}
		return fmt.Errorf("the upload to %s stalled: nothing was taken for %s", u.Host, c.c.Stall)
	case err != nil:
		return &lostError{&UnreachableError{Server: "the storage at " + u.Host, Err: plain(err)}}
	}
	defer drain(answer)
	if answer.StatusCode/100 == 2 {
		return nil
	}
	return readStorageError(answer)
}

// dialTime is added to the stall time of a try that has sent nothing yet.
const dialTime = 15 * time.Second

// readStorageError reads S3's XML, where there is any.
func readStorageError(r *http.Response) error {
	e := &StorageError{Host: r.Request.URL.Host, Status: r.StatusCode, retryAfter: retryAfter(r.Header)}
	var body struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	}
	if xml.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&body) == nil {
		e.Code, e.Message = body.Code, body.Message
	}
	return e
}

// meter counts what is read of a file and keeps the timer of a stalled upload
// from running out. net/http reads it in a goroutine of its own.
type meter struct {
	progress func(int64)
	size     int64
	stall    time.Duration
	timer    *time.Timer
	err      atomic.Pointer[error]
	all      atomic.Bool // the whole file was read
}

// failed is the error of reading the file, which is no fault of the network.
func (m *meter) failed() error {
	if err := m.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (m *meter) over(r io.Reader) io.ReadCloser { return &metered{m: m, r: r} }

// metered is one reading of the file from its beginning.
type metered struct {
	m    *meter
	r    io.Reader
	sent int64
}

func (b *metered) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.sent += int64(n)
	if err == io.EOF && b.sent < b.m.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		wrapped := fmt.Errorf("reading the file: %w", err)
		b.m.err.CompareAndSwap(nil, &wrapped)
		return n, err
	}
	if n > 0 {
		b.m.progress(b.sent)
	}
	if b.sent >= b.m.size {
		b.m.all.Store(true)
		b.m.timer.Reset(max(b.m.stall, answerTime))
	} else {
		b.m.timer.Reset(b.m.stall)
	}
	return n, err
}

func (b *metered) Close() error { return nil }
