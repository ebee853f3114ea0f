package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// serving runs Serve on a free port. stop ends it, and served has its result.
func serving(t *testing.T, h http.Handler, o ServeOptions) (url string, stop func(), served <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		done <- Serve(ctx, ln, h, o)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return "http://" + ln.Addr().String(), cancel, done
}

func TestServeFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	url, stop, served := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-release
		if r.Context().Err() != nil {
			w.WriteHeader(http.StatusTeapot)
		}
	}), ServeOptions{Grace: time.Minute})
	status := make(chan int, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", url, nil)
		req.Close = true
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-begun
	stop()
	refusing(t, strings.TrimPrefix(url, "http://"))
	close(release)
	if got := <-status; got != 200 {
		t.Errorf("the request in hand got %d", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

// refusing waits until nobody listens on addr.
func refusing(t *testing.T, addr string) {
	t.Helper()
	for t.Context().Err() == nil {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = conn.Close()
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it goes on listening")
}

func TestServeCutsOffAfterGrace(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	url, stop, served := serving(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done() // the connection is closed at the end of the grace
	}), ServeOptions{Grace: time.Millisecond})
	failed := make(chan error, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", url, nil)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		failed <- err
	}()
	<-begun
	stop()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve returned %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
}

func TestServeReturnsWhyItCannotListen(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := Serve(t.Context(), ln, http.NotFoundHandler(), ServeOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve returned %v", err)
	}
}

func TestWaitsEndWhenTheServerDrains(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	url, stop, served := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := untilDrained(r.Context())
		defer cancel()
		close(begun)
		<-ctx.Done()
		if r.Context().Err() == nil {
			w.WriteHeader(http.StatusAccepted)
		}
	}), ServeOptions{Grace: time.Minute})
	status := make(chan int, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", url, nil)
		req.Close = true
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			status <- 0
			return
		}
		_ = resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-begun
	stop()
	if got := <-status; got != http.StatusAccepted {
		t.Errorf("the waiting request got %d", got)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

// Slowloris: headers that never end.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	url, _, _ := serving(t, http.NotFoundHandler(), ServeOptions{HeaderTimeout: 200 * time.Millisecond})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: "); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	// What arrives after the end is answered with a reset.
	if b, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) || strings.Contains(string(b), " 200 ") {
		t.Errorf("read %q, %v; want the connection closed", b, err)
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	url, _, _ := serving(t, http.NotFoundHandler(), ServeOptions{Log: zerolog.Nop()})
	status, _ := raw(t, url, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: "+strings.Repeat("x", maxHeaderBytes+8<<10)+"\r\n\r\n")
	if status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("answered %d", status)
	}
}

// A client that doesn't read its answer is let go of.
func TestSlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	url, _, _ := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		rec := newRecorder(w, 50*time.Millisecond)
		block := make([]byte, 1<<20)
		for range 256 {
			if _, err := rec.Write(block); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}), ServeOptions{})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("256 MiB were written to a client that reads nothing")
	}
}
