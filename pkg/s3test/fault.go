package s3test

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

// Fault is what goes wrong with one request. The zero value lets it through.
type Fault struct {
	// Wait delays the request until it is closed, or until the client leaves.
	// The other fields apply after that.
	Wait <-chan struct{}
	// Status, when not 0, is answered with an S3 error body instead of
	// carrying the request out.
	Status int
	// Code is the S3 error code sent with Status; empty: SlowDown for 503,
	// else InternalError.
	Code string
	// Reset resets the connection (TCP RST) without carrying the request out.
	Reset bool
	// Lost carries the request out and then resets the connection instead of
	// answering, so that the client cannot know that it was done.
	Lost bool
	// Truncate, when positive, breaks the connection after that many bytes of
	// the answer's body, while its Content-Length promised more.
	Truncate int64
}

// Fail asks f about every request from now on; nil stops it. f may answer nil.
// It is called from many goroutines at once and must not read the body.
func (s *Server) Fail(f func(*http.Request) *Fault) {
	s.mu.Lock()
	s.fail = f
	s.mu.Unlock()
}

// faults is the handler in front of the store.
type faults struct {
	server *Server
	next   http.Handler
}

func (h faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.server.mu.Lock()
	ask := h.server.fail
	h.server.mu.Unlock()
	var f *Fault
	if ask != nil {
		f = ask(r)
	}
	if f == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	if f.Wait != nil {
		select {
		case <-f.Wait:
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case f.Reset:
		reset(w)
	case f.Lost:
		h.next.ServeHTTP(discard{header: http.Header{}}, r)
		reset(w)
	case f.Status != 0:
		refuse(w, r, f)
	case f.Truncate > 0:
		h.next.ServeHTTP(&truncated{ResponseWriter: w, left: f.Truncate}, r)
	default:
		h.next.ServeHTTP(w, r)
	}
}

// reset ends the connection with a RST, which a client sees as "connection
// reset by peer" and not as an end of file.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

func refuse(w http.ResponseWriter, r *http.Request, f *Fault) {
	code := f.Code
	if code == "" {
		code = "InternalError"
		if f.Status == http.StatusServiceUnavailable {
			code = "SlowDown"
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.Status)
	if r.Method != http.MethodHead {
		_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected fault</Message></Error>`, code)
	}
}

// discard takes an answer that nobody will see.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// truncated passes an answer on until its limit and then breaks the
// connection. It has no ReadFrom or Unwrap, so that nothing goes around it.
type truncated struct {
	http.ResponseWriter
	left int64
}

func (t *truncated) Write(b []byte) (int, error) {
	if int64(len(b)) <= t.left {
		t.left -= int64(len(b))
		return t.ResponseWriter.Write(b)
	}
	n, err := t.ResponseWriter.Write(b[:t.left])
	if err != nil {
		return n, err
	}
	if f, ok := t.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
	reset(t.ResponseWriter)
	return n, io.ErrClosedPipe
}
