package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
)

// Bounds of webhooks. A job's requests are made at the same time, so that its
// slot waits for the longest one only.
const (
	webhookTime      = 30 * time.Second // at most, whatever timeout the job gives
	webhooksOfAJob   = 20
	webhookErrorText = 64 << 10 // bytes of exc_info
	webhookRedirects = 5
)

// announced is what webhooks tell of a job.
type announced struct {
	job    *rq.Job
	status rq.Status // finished or failed
	ended  time.Time
	err    string // when failed
}

// body is what RQ posts (rq/webhook.py, get_payload).
func (a announced) body() ([]byte, error) {
	var fn any
	if a.job.Func != "" {
		fn = a.job.Func
	}
	d := pickle.Dict{{Key: "job_id", Value: a.job.ID}, {Key: "func_name", Value: fn}, {Key: "status", Value: string(a.status)},
		{Key: "enqueued_at", Value: isoformat(a.job.EnqueuedAt)}, {Key: "ended_at", Value: isoformat(a.ended)}}
	if a.status == rq.StatusFailed {
		text := a.err
		if len(text) > webhookErrorText {
			text = text[:webhookErrorText]
			for !utf8.ValidString(text) && len(text) > webhookErrorText-utf8.UTFMax {
				text = text[:len(text)-1]
			}
		}
		d = append(d, pickle.Pair{Key: "exc_info", Value: strings.ToValidUTF8(text, "\uFFFD")})
	}
	return pyjson.Encode(d)
}

// isoformat writes a time as Python's datetime does in UTC, nil for none.
func isoformat(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	if t = t.UTC(); t.Nanosecond()/1000 == 0 {
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format("2006-01-02T15:04:05.000000+00:00")
}

// announce has the requests made that a job asks for when it ends so, as RQ
// does: after the end is written, each time it finishes, and when it fails for
// good, but not when it was stopped.
func (w *Worker) announce(base context.Context, r *run, out rq.Outcome, fin rq.Finished) {
	a := announced{job: r.claimed.Job, ended: fin.EndedAt}
	switch {
	case out.Kind == rq.OutcomeFinish:
		a.status = rq.StatusFinished
	case fin.Status == rq.StatusFailed:
		a.status, a.err = rq.StatusFailed, out.Error
	default:
		return
	}
	if a.ended.IsZero() { // the job is gone already
		a.ended = w.c.Clock()
	}
	w.post(base, r.task.Log, a)
}

// post makes a job's requests. What goes wrong is logged.
func (w *Worker) post(base context.Context, log zerolog.Logger, a announced) {
	if !w.c.Webhooks || len(a.job.Webhooks) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(base, webhookTime)
	defer cancel()
	defer context.AfterFunc(w.killed, cancel)()
	client := newWebhookClient()
	var sending sync.WaitGroup
	defer sending.Wait()
	n := 0
	for _, h := range a.job.Webhooks {
		if h.Status != a.status {
			continue
		}
		if n++; n > webhooksOfAJob {
			log.Warn().Int("most", webhooksOfAJob).Msg("the job names more webhooks than are sent: the others are left out")
			return
		}
		sending.Go(func() {
			if err := send(ctx, client, h, a); err != nil {
				log.Warn().Err(err).Str("url", plainURL(h.URL)).Msg("webhook not delivered")
			}
		})
	}
}

// send makes one request. The answer's body is not read.
func send(ctx context.Context, client *http.Client, h rq.Webhook, a announced) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	var body []byte
	if h.Method == http.MethodPost {
		var err error
		if body, err = a.body(); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, h.Method, h.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be read")
	}
	req.Header.Set("User-Agent", "docsvc")
	if h.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range h.Headers {
		req.Header.Set(k, v)
		if strings.EqualFold(k, "Host") {
			req.Host = v
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		var bare *url.Error
		if errors.As(err, &bare) {
			err = bare.Err // without the URL, which may hold a password or a token
		}
		if strings.HasPrefix(err.Error(), "failed to parse Location header") {
			err = errors.New("it redirects to what is no URL") // nor with that
		}
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	return nil
}

// metadata are addresses besides the link-local ones at which clouds hand out
// the credentials of a machine.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure's wire server
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google
}

// nat64 holds IPv4 addresses in their last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// forbidden reports whether no receiver of webhooks is ever at this host:port,
// or it is none.
func forbidden(address string) bool {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return true
	}
	ip := to.Addr().Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	return ip.IsLinkLocalUnicast() || slices.Contains(metadata, ip)
}

// newWebhookClient follows redirects as Python does, within bounds, and keeps
// no connection.
func newWebhookClient() *http.Client {
	dialer := net.Dialer{Timeout: webhookTime, Control: func(_, address string, _ syscall.RawConn) error {
		if forbidden(address) {
			return fmt.Errorf("%s is no address for webhooks", address)
		}
		return nil
	}}
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, DisableKeepAlives: true,
			ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10, Proxy: http.ProxyFromEnvironment},
	}
}

// checkRedirect goes from http to https at most, never repeats a POST (as
// Python, which goes on with GET or gives up), and takes the job's headers to
// no other host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first, last := via[0], via[len(via)-1]
	switch {
	case len(via) > webhookRedirects:
		return fmt.Errorf("it redirects more than %d times", webhookRedirects)
	case req.URL.Scheme != last.URL.Scheme && (last.URL.Scheme != "http" || req.URL.Scheme != "https"):
		return fmt.Errorf("it redirects from %s to %s", last.URL.Scheme, req.URL.Scheme)
	case req.Method == http.MethodPost:
		return errors.New("it redirects a POST")
	case req.URL.Host != first.URL.Host:
		maps.DeleteFunc(req.Header, func(k string, _ []string) bool { return k != "User-Agent" })
	}
	return nil
}

// plainURL is an URL without what may be secret in it.
func plainURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "unreadable"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
