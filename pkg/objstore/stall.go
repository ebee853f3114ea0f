package objstore

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errStalledUpload ends a request of which the store takes nothing any more,
// or to which it doesn't answer.
var errStalledUpload = errors.New("the store stopped taking the request, or does not answer it")

// patient ends requests that stand still: neither TCP nor net/http would while
// the other side keeps its connection open and reads nothing. What counts is
// progress, so that a slow store is given all the time it needs. Bodies of
// answers are looked after by reader.
type patient struct {
	next http.RoundTripper
	idle time.Duration
}

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stalled := time.AfterFunc(p.idle, func() { cancel(errStalledUpload) })
	r = r.WithContext(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &progress{r.Body, stalled, p.idle}
	}
	resp, err := p.next.RoundTrip(r)
	if !stalled.Stop() && err != nil && context.Cause(ctx) == errStalledUpload {
		err = errStalledUpload
	}
	if err != nil {
		cancel(nil)
		return nil, err
	}
	resp.Body = &ending{resp.Body, cancel}
	return resp, nil
}

// progress puts off the end of a request with every part of its body that the
// connection takes.
type progress struct {
	io.ReadCloser
	stalled *time.Timer
	idle    time.Duration
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.stalled.Stop() { // not over yet
		p.stalled.Reset(p.idle)
	}
	return n, err
}

// ending frees the request's context with the body of its answer.
type ending struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (e *ending) Close() error {
	defer e.cancel(nil)
	return e.ReadCloser.Close()
}
