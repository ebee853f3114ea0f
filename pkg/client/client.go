package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says where the API is and how long to insist.
type Config struct {
	// Key is sent as a bearer token; empty for servers without keys.
	Key string
	// Patience is how long a call is tried while the server can't be reached
	// or is too busy. Default: 2 minutes.
	Patience time.Duration
	// Retrying is told before each wait; may be nil. It is called by several
	// goroutines.
	Retrying func(err error, wait time.Duration)
	// Answering is told when a server that could not be reached, named as in
	// UnreachableError, answers again; may be nil. It is called by several
	// goroutines.
	Answering func(server string)
	// Server is http://host:port or https://..., perhaps with a path; host:port
	// alone means http. A path /api/v1 at its end may be there or not.
	Server string
	// Stall is how long an upload may stand still. Default: 60 seconds.
	Stall time.Duration
	// UserAgent names the program. Default: docsvc.
	UserAgent string
}

const (
	defaultPatience = 2 * time.Minute
	defaultStall    = time.Minute
	firstWait       = 200 * time.Millisecond
	longestWait     = 10 * time.Second
	callTimeout     = 30 * time.Second // of one try; a long poll adds its wait
	maxAnswer       = 32 << 20         // bytes; the largest answer is a page of chunks
)

// Client calls the API. It is safe for use by several goroutines.
type Client struct {
	c       Config
	base    *url.URL
	api     *http.Client
	storage *http.Client
	// Each call gives up by itself, and at once when the one it needs has not
	// answered anybody for as long as that: 10,000 files don't wait in turn.
	apiOutage, storageOutage *outage
}

// New makes a client; nothing is asked of the server yet. The error says what
// is wrong with the address or the key.
func New(c Config) (*Client, error) {
	server := strings.TrimRight(c.Server, "/")
	if _, port, err := net.SplitHostPort(server); err == nil && !strings.Contains(server, "/") && port != "" {
		server = "http://" + server
	}
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("%q is no address of a server: write it as http://127.0.0.1:8000", c.Server)
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("the server's address %s has more than host, port and path; the key goes into DOCSVC_API_KEY", base.Redacted())
	}
	base.Path, base.RawPath = strings.TrimRight(strings.TrimSuffix(base.Path, "/api/v1"), "/"), ""
	if strings.ContainsFunc(c.Key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("the API key has characters that no key has, such as spaces: check it")
	}
	c.Patience, c.Stall = orElse(c.Patience, defaultPatience), orElse(c.Stall, defaultStall)
	if c.UserAgent == "" {
		c.UserAgent = "docsvc"
	}
	return &Client{
		c: c, base: base, storage: &http.Client{Transport: transport()},
		api:       &http.Client{Transport: transport(), CheckRedirect: withoutKey},
		apiOutage: &outage{}, storageOutage: &outage{},
	}, nil
}

// withoutKey follows redirects to the storage, which refuses a presigned URL
// that comes with a key; net/http takes it off for another host name only, not
// for another port.
func withoutKey(req *http.Request, via []*http.Request) error {
	if len(via) > 5 {
		return errors.New("too many redirects")
	}
	if req.URL.Host != via[0].URL.Host {
		req.Header.Del("Authorization")
	}
	return nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

func transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	t.MaxIdleConnsPerHost = 32
	t.ExpectContinueTimeout = 5 * time.Second
	return t
}

// With returns a client that shares c's connections, has another patience and
// tells nobody of its retries.
func (c *Client) With(patience time.Duration) *Client {
	other := *c
	other.c.Patience, other.c.Retrying, other.c.Answering = patience, nil, nil
	return &other
}

// Server is the address that is called.
func (c *Client) Server() string { return c.base.String() }

// Close drops idle connections.
func (c *Client) Close() {
	c.api.CloseIdleConnections()
	c.storage.CloseIdleConnections()
}

// call is one request of the API.
type call struct {
	method, path string // path below /api/v1
	query        url.Values
	body         any           // as JSON; nil for none
	wait         time.Duration // how long the server may take of its own will
	accept       []int         // statuses besides 2xx that are answers
}

// do makes a call until it is answered and decodes the answer into out, if it
// is not nil.
func (c *Client) do(ctx context.Context, r call, out any) error {
	text, err := c.bytes(ctx, r)
	if err != nil || out == nil {
		return err
	}
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s answered what is not docsvc's: %w", r.method, c.base.JoinPath(r.path), err)
	}
	return nil
}

func (c *Client) bytes(ctx context.Context, r call) ([]byte, error) {
	var text []byte
	err := c.insist(ctx, c.apiOutage, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout+r.wait)
		defer cancel()
		answer, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer drain(answer)
		text, err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
		if err != nil {
			return &lostError{err}
		}
		if len(text) > maxAnswer {
			return fmt.Errorf("%s %s answered more than %d MiB", r.method, r.path, maxAnswer>>20)
		}
		return nil
	})
	return text, err
}

// send makes one try. Its error is a *Problem, a *lostError, or neither when
// trying again can't help.
func (c *Client) send(ctx context.Context, r call) (*http.Response, error) {
	u := c.base.JoinPath(r.path)
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("User-Agent", c.c.UserAgent)
	req.Header.Set("Accept", "application/json, text/markdown, application/problem+json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.c.Key != "" {
		req.Header.Set("Authorization", "Bearer "+c.c.Key)
	}
	answer, err := c.api.Do(req)
	if err != nil {
		return nil, &lostError{err}
	}
	problem := strings.HasPrefix(answer.Header.Get("Content-Type"), "application/problem+json")
	if answer.StatusCode/100 == 2 || slices.Contains(r.accept, answer.StatusCode) && !problem {
		return answer, nil
	}
	defer drain(answer)
	return nil, readProblem(answer)
}

// drain lets the connection be used again.
func drain(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10)
	_ = r.Body.Close()
}

// lostError is a try that got no whole answer.
type lostError struct{ error }

func (e *lostError) Unwrap() error { return e.error }

// outage is since when a server has given no answer.
type outage struct {
	mu     sync.Mutex
	since  time.Time
	server string // that could not be reached
}

// over ends it and names the server that could not be reached, if any.
func (o *outage) over() (server string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	server = o.server
	o.since, o.server = time.Time{}, ""
	return server
}

// lasting notes that there is none, for err, and tells since how long.
func (o *outage) lasting(err error) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		o.server = unreachable.Server
	}
	if o.since.IsZero() {
		o.since = time.Now()
	}
	return time.Since(o.since)
}

// insist tries until it succeeds, can't, or nobody answered for too long.
func (c *Client) insist(ctx context.Context, out *outage, try func(context.Context) error) error {
	begun, wait := time.Now(), firstWait
	for {
		err := try(ctx)
		if err == nil {
			c.over(out)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		atLeast, again := retryable(err)
		if !again {
			c.over(out)
			return err
		}
		pause := max(atLeast, wait/2+rand.N(wait/2+1))
		tried := max(time.Since(begun), out.lasting(c.givenUp(err, 0)))
		if tried+pause > c.c.Patience {
			return c.givenUp(err, tried)
		}
		if c.c.Retrying != nil {
			c.c.Retrying(c.givenUp(err, 0), pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wait = min(2*wait, longestWait)
	}
}

func (c *Client) over(out *outage) {
	if server := out.over(); server != "" && c.c.Answering != nil {
		c.c.Answering(server)
	}
}

// retryable says whether err may pass by itself, and how long the server asks
// to be left alone.
func retryable(err error) (atLeast time.Duration, again bool) {
	var p *Problem
	var lost *lostError
	var refused *StorageError
	switch {
	case errors.As(err, &p):
		return p.retryAfter, passing(p.Status)
	case errors.As(err, &refused):
		return refused.retryAfter, passing(refused.Status) || refused.Status == http.StatusInternalServerError
	case errors.As(err, &lost):
		return 0, true
	}
	return 0, false
}

func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// givenUp is what callers get to see. It leaves a *Problem and a *StorageError
// as they are: the server did answer, and said what is wrong.
func (c *Client) givenUp(err error, tried time.Duration) error {
	var lost *lostError
	if !errors.As(err, &lost) {
		return err
	}
	var unreachable *UnreachableError
	if errors.As(err, &unreachable) {
		unreachable.Tried = tried
		return unreachable
	}
	return &UnreachableError{Server: c.Server(), Tried: tried, Err: plain(lost.error)}
}

// plain takes method and URL off an error of net/http: they are long, and a
// presigned URL is a secret.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return errors.New("no answer in time")
		}
		err = u.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the connection was closed")
	}
	return err
}

// retryAfter reads the header in seconds; a date is not used by docsvc or S3.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Minute)
}
