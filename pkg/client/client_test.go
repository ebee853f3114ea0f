package client_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/client/clienttest"
)

func dial(t *testing.T, c client.Config) *client.Client {
	t.Helper()
	api, err := client.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	return api
}

func TestNewRefusesWhatCantBeRight(t *testing.T) {
	t.Parallel()
	for _, c := range []client.Config{
		{Server: ""}, {Server: "localhost"}, {Server: "ftp://x"}, {Server: "http://u:p@x"}, {Server: "http://x?key=1"},
		{Server: "http://x", Key: "a b"}, {Server: "http://x", Key: "a\n"},
	} {
		if _, err := client.New(c); err == nil {
			t.Errorf("New(%+v) is fine", c)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"localhost:8000": "http://localhost:8000", "127.0.0.1:8000/": "http://127.0.0.1:8000", "[::1]:80": "http://[::1]:80",
		"https://x/docs/api/v1/": "https://x/docs", "http://x/api/v1": "http://x", "http://x/": "http://x",
	} {
		api, err := client.New(client.Config{Server: given})
		if err != nil || api.Server() != want {
			t.Errorf("%s: %v, %v; want %s", given, api, err, want)
		}
	}
}

// fail answers the first n requests with f.
func fail(n int64, f http.HandlerFunc) (func(http.ResponseWriter, *http.Request) bool, *atomic.Int64) {
	var seen atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if seen.Add(1) > n {
			return false
		}
		f(w, r)
		return true
	}, &seen
}

func hangUp(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

func TestCallsGoOn(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]http.HandlerFunc{
		"lost": hangUp,
		"503": func(w http.ResponseWriter, _ *http.Request) {
			clienttest.Problem(w, 503, "queue_unavailable", "Redis is away.")
		},
		"502": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", http.StatusBadGateway) },
		"429": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "slow down", http.StatusTooManyRequests) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clienttest.Start(t)
			s.Fault, _ = fail(2, f)
			var told atomic.Int64
			again := ""
			api := dial(t, client.Config{Server: s.URL, Retrying: func(error, time.Duration) { told.Add(1) }, Answering: func(server string) { again += server }})
			if _, err := api.List(context.Background(), client.ListQuery{}); err != nil || told.Load() != 2 {
				t.Errorf("List: %v after %d retries", err, told.Load())
			}
			if want := map[string]string{"lost": s.URL}[name]; again != want {
				t.Errorf("%q answers again, want %q", again, want)
			}
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	s.Fault, _ = fail(1, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		clienttest.Problem(w, 503, "queue_unavailable", "Redis is away.")
	})
	var wait time.Duration
	api := dial(t, client.Config{Server: s.URL, Retrying: func(_ error, d time.Duration) { wait = d }})
	if _, err := api.List(context.Background(), client.ListQuery{}); err != nil || wait < time.Second {
		t.Errorf("List: %v, waited %s", err, wait)
	}
}

// An unhealthy server has answered: what it says of itself is wanted.
func TestHealthOfTheUnhealthy(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	s.Fault, _ = fail(1, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(503)
		_, _ = io.WriteString(w, `{"status":"unhealthy","reasons":["Redis can't be reached"]}`)
	})
	h, err := dial(t, client.Config{Server: s.URL}).Health(context.Background())
	if err != nil || h.Status != "unhealthy" || len(h.Reasons) != 1 {
		t.Errorf("Health: %+v, %v", h, err)
	}
}

func TestGivesUp(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	s.Fault = func(w http.ResponseWriter, r *http.Request) bool { hangUp(w, r); return true }
	api := dial(t, client.Config{Server: s.URL, Patience: 300 * time.Millisecond})
	_, err := api.List(context.Background(), client.ListQuery{})
	var u *client.UnreachableError
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "no answer from "+s.URL) || !strings.Contains(err.Error(), "the connection was closed") {
		t.Errorf("List of a dead server: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := dial(t, client.Config{Server: s.URL}).List(ctx, client.ListQuery{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("List past its context: %v", err)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	api := dial(t, client.Config{Server: s.URL, Key: "secret"})
	_, err := api.Get(context.Background(), "x/../y")
	if !client.IsNotFound(err) || !client.HasCode(err, "other", "document_not_found") || err.Error() != "There is no such document." {
		t.Errorf("Get of nothing: %v", err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("no key sent: %v", r.Header)
		}
		http.Error(w, "<html>I am a proxy", 404)
	}))
	defer web.Close()
	_, err = dial(t, client.Config{Server: web.URL, Key: "secret"}).Get(context.Background(), "x")
	if err == nil || client.IsNotFound(err) || !strings.Contains(err.Error(), "which is not docsvc's answer: check the address") {
		t.Errorf("Get from a foreign server: %v", err)
	}
}

// A delete whose answer was lost finds nothing the second time: it was done.
func TestDeleteWithLostAnswer(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	api := dial(t, client.Config{Server: s.URL})
	id := put(t, api, "some text")
	s.Do(func() {
		s.Fault, _ = fail(1, func(w http.ResponseWriter, r *http.Request) {
			s.Do(func() { s.Docs = nil })
			hangUp(w, r)
		})
	})
	if err := api.Delete(context.Background(), id); err != nil {
		t.Errorf("Delete: %v", err)
	}
	if err := api.Delete(context.Background(), id); !client.IsNotFound(err) {
		t.Errorf("Delete again: %v", err)
	}
}

// put uploads text as a document and returns its id.
func put(t *testing.T, api *client.Client, text string) string {
	t.Helper()
	up := presign(t, api, text)
	if err := api.Put(context.Background(), up, strings.NewReader(text), int64(len(text)), nil); err != nil {
		t.Fatal(err)
	}
	return up.DocumentID
}

func presign(t *testing.T, api *client.Client, text string) *client.Upload {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	up, err := api.Presign(context.Background(), client.NewUpload{Filename: "a.txt", FileSize: int64(len(text)), ContentType: "text/plain", SHA256: hex.EncodeToString(sum[:])})
	if err != nil {
		t.Fatal(err)
	}
	return up
}

func TestPut(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	api := dial(t, client.Config{Server: s.URL})
	text := strings.Repeat("A large file. ", 200_000)
	up := presign(t, api, text)
	s.Do(func() {
		s.Fault, _ = fail(2, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) })
	})
	var last atomic.Int64
	if err := api.Put(context.Background(), up, strings.NewReader(text), int64(len(text)), func(n int64) { last.Store(n) }); err != nil {
		t.Fatal(err)
	}
	if last.Load() != int64(len(text)) || len(s.Puts) != 1 {
		t.Errorf("%d of %d bytes told, %d stored", last.Load(), len(text), len(s.Puts))
	}
}

func TestPutRefused(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	api := dial(t, client.Config{Server: s.URL})
	up := presign(t, api, "some text")
	err := api.Put(context.Background(), up, strings.NewReader("some TEXT"), 9, nil)
	var refused *client.StorageError
	if !errors.As(err, &refused) || refused.Status != 400 || refused.Code != "BadDigest" || strings.Contains(err.Error(), "secret") {
		t.Errorf("Put of other bytes: %v", err)
	}
}

func TestPutOfAFileThatCantBeRead(t *testing.T) {
	t.Parallel()
	s := clienttest.Start(t)
	api := dial(t, client.Config{Server: s.URL})
	up := presign(t, api, "some text")
	for name, file := range map[string]io.ReaderAt{
		"short":  strings.NewReader("some"),
		"broken": readerAt{iotest.ErrReader(errors.New("input/output error"))},
	} {
		err := api.Put(context.Background(), up, file, 9, nil)
		if err == nil || !strings.Contains(err.Error(), "reading the file: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type readerAt struct{ r io.Reader }

func (r readerAt) ReadAt(p []byte, _ int64) (int, error) { return r.r.Read(p) }

// A stalled upload ends; a slow one, longer than the stall time as a whole,
// goes on.
func TestPutStalls(t *testing.T) {
	t.Parallel()
	const stall = 3 * time.Second // longer than a loaded machine keeps anybody waiting
	release := make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			for b := make([]byte, 64<<10); ; time.Sleep(stall / 400) { // of at least 512 reads
				if _, err := r.Body.Read(b); err != nil {
					return
				}
			}
		}
		<-release
	}))
	t.Cleanup(func() {
		close(release)
		web.Close()
	})
	api := dial(t, client.Config{Server: web.URL, Stall: stall})
	data := bytes.NewReader(make([]byte, 32<<20))
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		if err := api.Put(context.Background(), &client.Upload{URL: web.URL + "/slow"}, data, data.Size(), nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("stuck", func(t *testing.T) {
		t.Parallel()
		err := api.Put(context.Background(), &client.Upload{URL: web.URL + "/stuck"}, data, data.Size(), nil)
		if err == nil || !strings.Contains(err.Error(), "stalled") {
			t.Error(err)
		}
	})
}

// A redirect to the storage must not carry the API key along.
func TestTextRedirected(t *testing.T) {
	t.Parallel()
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "only one auth mechanism allowed", 400)
			return
		}
		_, _ = io.WriteString(w, "# The text")
	}))
	defer storage.Close()
	web := httptest.NewServer(http.RedirectHandler(storage.URL+"/text.md?X-Amz-Signature=1", http.StatusFound))
	defer web.Close()
	var b strings.Builder
	if err := dial(t, client.Config{Server: web.URL, Key: "k"}).Text(context.Background(), "x", &b); err != nil || b.String() != "# The text" {
		t.Errorf("Text: %q, %v", b.String(), err)
	}
}
