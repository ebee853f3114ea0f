package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/client/clienttest"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/ingest"
	"github.com/docsvc/docsvc/pkg/objstore"
)

func TestTwice(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	g.write("sub/b.md", "beta")
	g.write("sub/same.txt", "alpha")
	// One at a time: of two files with the same bytes the first one hashed is the original.
	o := ingest.Options{Tags: []string{"x"}, Title: "T", Parallel: 1}
	report := g.run(context.Background(), o)
	a := g.want("a.txt", ingest.Completed, "")
	g.want("sub/b.md", ingest.Completed, "")
	if c := g.want("sub/same.txt", ingest.Duplicate, "the same bytes as "); c.SameAs != a.Path || c.DuplicateOf != a.DocumentID {
		t.Errorf("%+v is not like %+v", c, a)
	}
	if report.Completed != 2 || report.Duplicate != 1 || report.Bad != 0 || report.Bytes != 14 || report.Uploaded != 9 || report.Stopped || !g.listed || g.found != 3 {
		t.Errorf("report %+v, found %d", report, g.found)
	}
	if d := g.s.Docs[0]; d.Title != "T" || !slices.Equal(d.Tags, []string{"x"}) {
		t.Errorf("announced as %+v", d)
	}
	if n := g.puts(); n != 2 {
		t.Errorf("%d uploads", n)
	}
	report = g.run(context.Background(), o)
	g.want("a.txt", ingest.Present, "")
	g.want("sub/same.txt", ingest.Duplicate, "")
	if report.Present != 2 || report.Uploaded != 0 || g.puts() != 0 {
		t.Errorf("second run: %+v", report)
	}
	report = g.run(context.Background(), ingest.Options{AllowDuplicate: true})
	if report.Completed != 3 || g.puts() != 3 {
		t.Errorf("with AllowDuplicate: %+v", report)
	}
}

func TestWhatIsNotTakenIn(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	empty := g.write("empty.pdf", "")
	song := g.write("song.flac", "fLaC\x00\x00\x00\x22\x10\x00")
	nameless := g.write("README", "Some text of which the name says nothing.")
	huge := g.write("huge.pdf", "")
	if err := os.Truncate(huge, 6<<30); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(g.dir, "pipe.txt"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"loop": ".", "gone.txt": "nowhere", "link.txt": "a.txt"} {
		if err := os.Symlink(target, filepath.Join(g.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	report := g.run(context.Background(), ingest.Options{Parallel: 1})
	g.want("a.txt", ingest.Completed, "")
	g.want("link.txt", ingest.Duplicate, "a.txt")
	g.want("empty.pdf", ingest.Skipped, "empty")
	g.want("huge.pdf", ingest.Skipped, "too large: 6.0 GiB, at most 5.0 GiB")
	g.want("song.flac", ingest.Skipped, ".flac files are not read")
	g.want("README", ingest.Skipped, "name the file itself")
	g.want("pipe.txt", ingest.Skipped, "a named pipe")
	g.want("loop", ingest.Skipped, "a link to a directory")
	g.want("gone.txt", ingest.Failed, "a link to nowhere")
	if report.Bad != 1 {
		t.Errorf("%d bad, want the broken link alone", report.Bad)
	}
	report = g.run(context.Background(), ingest.Options{}, empty, song, nameless, filepath.Join(g.dir, "none.pdf"))
	g.want("empty.pdf", ingest.Skipped, "empty")
	g.want("song.flac", ingest.Skipped, "a recording (audio/flac)")
	g.want("README", ingest.Completed, "")
	g.want("none.pdf", ingest.Failed, "no such file")
	if report.Bad != 3 {
		t.Errorf("%d bad of what was named, want 3", report.Bad)
	}
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for i, name := range []string{"\xff.txt", "a\nb.txt", `c\d.txt`, "çã 日本.txt", " .txt", "-o.txt", strings.Repeat("x", 251) + ".txt"} {
		g.write(name, fmt.Sprint("text ", i))
	}
	if report := g.run(context.Background(), ingest.Options{}); report.Completed != 7 {
		t.Errorf("%+v", report)
	}
	sent := g.s.Puts
	slices.Sort(sent)
	for _, want := range []string{"\ufffd.txt", "a\ufffdb.txt", "c\ufffdd.txt", "çã 日本.txt"} {
		if !slices.Contains(sent, want) {
			t.Errorf("%q was not sent, only %q", want, sent)
		}
	}
	g.want(`\xff.txt`, ingest.Completed, "")
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	g := newRig(t)
	g.write("a.txt", "alpha")
	if err := os.Chmod(g.write("secret.txt", "s"), 0); err != nil {
		t.Fatal(err)
	}
	if report := g.run(context.Background(), ingest.Options{}); report.Bad != 1 || report.Completed != 1 {
		t.Errorf("%+v", report)
	}
	g.want("secret.txt", ingest.Failed, "it can't be read: permission denied")
}

// A run that is ended in the middle of uploads, and again: only what is
// missing is sent, into the same documents.
func TestInterruptedAndAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	const files = 30
	for i := range files {
		g.write(fmt.Sprintf("f%02d.txt", i), strings.Repeat(fmt.Sprint("file ", i, " "), 1000))
	}
	ctx, cancel := context.WithCancel(context.Background())
	var arrived atomic.Int64
	var over atomic.Bool
	g.s.Do(func() {
		g.s.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
			first := r.UserAgent() != "again"
			if first && r.Method == http.MethodPut && arrived.Add(1) >= files/2 {
				cancel()
				panic(http.ErrAbortHandler)
			}
			if first && over.Load() { // sent before the run ended, read by the server only now
				panic(http.ErrAbortHandler)
			}
			return false
		}
	})
	report := g.run(ctx, ingest.Options{})
	over.Store(true)
	g.s.Settle()
	if !report.Stopped || report.Interrupted == 0 || report.Failed != 0 || report.Bad != 0 {
		t.Errorf("interrupted run: %+v", report)
	}
	first := g.puts()
	known := len(g.s.Docs)
	g.dial(client.Config{UserAgent: "again"})
	report = g.run(context.Background(), ingest.Options{})
	if report.Completed+report.Present != files || report.Stopped {
		t.Errorf("second run: %+v", report)
	}
	second := g.puts()
	if first+second != files || len(g.s.Docs) != files {
		t.Errorf("%d + %d uploads, %d documents of which %d were begun, for %d files", first, second, len(g.s.Docs), known, files)
	}
}

// A file that arrived but was never handed over isn't sent again.
func TestArrivedButNotProcessed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	g.s.Do(func() {
		g.s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/process") {
				clienttest.Problem(w, 500, "internal_error", "Something went wrong.")
				return true
			}
			return false
		}
	})
	g.run(context.Background(), ingest.Options{})
	g.want("a.txt", ingest.Failed, "Something went wrong.")
	g.s.Do(func() { g.s.Fault = nil })
	if n := g.puts(); n != 1 {
		t.Errorf("%d uploads", n)
	}
	g.run(context.Background(), ingest.Options{})
	g.want("a.txt", ingest.Completed, "")
	if n := g.puts(); n != 0 {
		t.Errorf("%d uploads of what was there", n)
	}
}

func TestFailedAndRetried(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	g.write("same.txt", "alpha")
	g.s.Do(func() {
		g.s.Outcome = func(d *clienttest.Doc) {
			d.Status, d.Error, d.ErrorCode = document.Failed, "It is damaged.", "corrupt"
		}
	})
	report := g.run(context.Background(), ingest.Options{Parallel: 1})
	if r := g.want("a.txt", ingest.Failed, "It is damaged."); r.ErrorCode != "corrupt" || report.Bad != 2 {
		t.Errorf("%+v, %+v", r, report)
	}
	g.want("same.txt", ingest.Failed, "a.txt, which failed")
	g.run(context.Background(), ingest.Options{Parallel: 1})
	g.want("a.txt", ingest.Failed, "it failed in an earlier run: It is damaged. --retry")
	g.s.Do(func() { g.s.Outcome, g.s.Puts = nil, nil })
	g.run(context.Background(), ingest.Options{Parallel: 1, Retry: true})
	g.want("a.txt", ingest.Completed, "")
	if n := g.puts(); n != 0 {
		t.Errorf("%d uploads for a retry", n)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for _, name := range []string{"dup", "canceled", "partial"} {
		g.write(name+".txt", name)
	}
	g.s.Do(func() {
		g.s.Outcome = func(d *clienttest.Doc) {
			switch d.Filename {
			case "dup.txt":
				d.Status, d.DuplicateOf = document.Duplicate, "other"
			case "canceled.txt":
				d.Status = document.Canceled
			case "partial.txt":
				d.Partial, d.Warnings = true, []string{"page 2 can't be read"}
			}
		}
	})
	g.run(context.Background(), ingest.Options{})
	g.want("dup.txt", ingest.Duplicate, "the same as document other")
	g.want("canceled.txt", ingest.Failed, "--retry processes it again")
	if r := g.want("partial.txt", ingest.Completed, ""); !r.Partial || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestNoWaitAndWaitAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	g.run(context.Background(), ingest.Options{NoWait: true})
	g.want("a.txt", ingest.Queued, "")
	g.run(context.Background(), ingest.Options{})
	g.want("a.txt", ingest.Completed, "")
	if n := g.puts(); n != 1 {
		t.Errorf("%d uploads", n)
	}
}

// The server is away in the middle, for less and for more than the patience.
func TestServerAway(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	for i := range 20 {
		g.write(fmt.Sprintf("f%d.txt", i), fmt.Sprint("file ", i))
	}
	var calls atomic.Int64
	g.s.Do(func() {
		g.s.Fault = func(http.ResponseWriter, *http.Request) bool {
			if n := calls.Add(1); n > 20 && n < 40 {
				panic(http.ErrAbortHandler)
			}
			return false
		}
	})
	g.api = g.api.With(time.Minute)
	if report := g.run(context.Background(), ingest.Options{}); report.Completed != 20 {
		t.Errorf("after a short outage: %+v", report)
	}
	g.s.Do(func() { g.s.Fault = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) } })
	g.api = g.api.With(time.Second)
	report := g.run(context.Background(), ingest.Options{Parallel: 20})
	if report.Failed != 20 || report.Stopped {
		t.Errorf("during a long outage: %+v", report)
	}
	g.want("f0.txt", ingest.Failed, "run the same command again when it is back")
}

// An expired URL is asked for once more.
func TestUploadURLRanOut(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.write("a.txt", "alpha")
	var n atomic.Int64
	g.s.Do(func() {
		g.s.Fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPut && n.Add(1) == 1 {
				http.Error(w, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>", http.StatusForbidden)
				return true
			}
			return false
		}
	})
	g.run(context.Background(), ingest.Options{})
	g.want("a.txt", ingest.Completed, "")
	if len(g.s.Docs) != 1 {
		t.Errorf("%d documents", len(g.s.Docs))
	}
}

func TestFileChangesWhileRead(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	path := g.write("a.txt", strings.Repeat("x", 1<<20))
	var once sync.Once
	g.moved = func(p ingest.Progress) {
		if p.Phase == ingest.Reading {
			once.Do(func() { g.write("a.txt", strings.Repeat("y", 1<<20+5)) })
		}
	}
	g.run(context.Background(), ingest.Options{}, path)
	g.want("a.txt", ingest.Failed, "changed while it was being read")
	var again sync.Once
	g.moved = func(p ingest.Progress) {
		if p.Phase == ingest.Uploading {
			again.Do(func() { g.write("a.txt", strings.Repeat("z", 1<<20+9)) })
		}
	}
	g.run(context.Background(), ingest.Options{}, path)
	g.want("a.txt", ingest.Failed, "changed while it was being read")
}

func TestObjects(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	listing := func(yield func(objstore.Object, error) bool) {
		for _, o := range []objstore.Object{{Key: "in/a.pdf", Size: 5}, {Key: "in/dir/"}, {Key: "in/b.mp3", Size: 5},
			{Key: "in/empty.pdf"}, {Key: "temp/x/y.pdf", Size: 5}} {
			if !yield(o, nil) {
				return
			}
		}
		yield(objstore.Object{}, errors.New("the listing broke off"))
	}
	src := ingest.All(ingest.Object("docsvc", "x.pdf"), ingest.Object("docsvc", "missing.pdf"),
		ingest.Objects("docsvc", "in/", listing, []string{"temp/"}))
	g.results = map[string]*ingest.Result{}
	report := ingest.Run(context.Background(), g.api, src, ingest.Options{Watch: g})
	g.want("s3://docsvc/x.pdf", ingest.Completed, "")
	g.want("s3://docsvc/missing.pdf", ingest.Failed, "There is no object missing.pdf")
	g.want("s3://docsvc/in/a.pdf", ingest.Completed, "")
	g.want("s3://docsvc/in/b.mp3", ingest.Skipped, ".mp3")
	g.want("s3://docsvc/in/empty.pdf", ingest.Skipped, "empty")
	g.want("s3://docsvc/in/", ingest.Failed, "the listing broke off")
	if report.Files != 6 {
		t.Errorf("%+v", report)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 5 << 30: "5.0 GiB", 1536: "1.5 KiB"} {
		if got := ingest.Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %s, want %s", n, got, want)
		}
	}
}
