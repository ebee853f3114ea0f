package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/porttest"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// ingested is what docsvc ingest -o json printed.
type ingested struct {
	Files []struct {
		Path       string
		Outcome    string
		DocumentID string `json:"document_id"`
		Reason     string
	}
	Summary struct {
		Files, Completed, Present, Duplicate, Skipped, Failed, Interrupted int
		UploadedBytes                                                      int64 `json:"uploaded_bytes"`
	}
	Interrupted bool
	Error       string
}

func (i *ingested) outcome(name string) string {
	for _, f := range i.Files {
		if f.Path == name {
			return f.Outcome + " " + f.Reason
		}
	}
	return "nothing"
}

// ingestion is a docsvc ingest that runs.
type ingestion struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr logBuffer
	done           chan struct{}
}

func (s *site) ingest(args ...string) *ingestion {
	s.t.Helper()
	i := &ingestion{t: s.t, cmd: exec.Command(docsvc(s.t), append([]string{"ingest", "-o", "json"}, args...)...), done: make(chan struct{})}
	i.cmd.Dir, i.cmd.Env = s.dir, s.env
	i.cmd.Stdout, i.cmd.Stderr = &i.stdout, &i.stderr
	if err := i.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		_ = i.cmd.Wait()
		close(i.done)
	}()
	s.t.Cleanup(func() {
		_ = i.cmd.Process.Kill()
		<-i.done
	})
	return i
}

// wait expects an exit status and reads what was printed.
func (i *ingestion) wait(status int) *ingested {
	i.t.Helper()
	select {
	case <-i.done:
	case <-time.After(2 * patience):
		i.t.Fatalf("docsvc ingest does not end; it said\n%s", i.stderr.tail(2000))
	}
	if got := i.cmd.ProcessState.ExitCode(); got != status {
		i.t.Errorf("exit status %d, want %d; it said\n%s", got, status, i.stderr.tail(2000))
	}
	a := new(ingested)
	if err := json.Unmarshal([]byte(i.stdout.String()), a); err != nil {
		i.t.Fatalf("stdout is not JSON: %v\n%s", err, i.stdout.tail(2000))
	}
	return a
}

// ended waits until n files have ended.
func (i *ingestion) ended(s *site, n int) {
	i.t.Helper()
	s.until(fmt.Sprintf("%d files to be ingested", n), func() error {
		if strings.Contains(i.stderr.String(), fmt.Sprintf("[%d/", n)) {
			return nil
		}
		select {
		case <-i.done:
			return fmt.Errorf("it has ended: %s", i.stderr.tail(1000))
		default:
			return errors.New("not yet")
		}
	})
}

// inbox writes n documents of some size below a new directory in. It returns
// how many bytes they have.
func (s *site) inbox(n, size int) (total int64) {
	s.t.Helper()
	for i := range n {
		text := fmt.Appendf(nil, "# Document %d\n\n", i)
		for line := 0; len(text) < size; line++ {
			text = fmt.Appendf(text, "Line %d of document %d says what pump %d did in the night.\n\n", line, i, i*31+line)
		}
		path := filepath.Join(s.dir, "in", fmt.Sprint("part ", i%7), fmt.Sprintf("document %03d.md", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.t.Fatal(err)
		}
		total += int64(len(text))
	}
	return total
}

// documents lists what the server has.
func (s *site) documents() []string {
	s.t.Helper()
	out, err := s.run("documents", "list", "--all", "-o", "json")
	if err != nil {
		s.t.Fatal(err)
	}
	var list struct {
		Documents []struct {
			ID string `json:"document_id"`
		}
		NextCursor *string `json:"next_cursor"`
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil || list.NextCursor != nil {
		s.t.Fatalf("documents list: %v, cursor %v\n%s", err, list.NextCursor, out)
	}
	var ids []string
	for _, d := range list.Documents {
		ids = append(ids, d.ID)
	}
	return ids
}

// Twice the same directory, with everything in it that a directory can have:
// the second time nothing is uploaded.
func TestIngestTwice(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	s.serve("--standalone")
	total := s.inbox(12, 3000)
	in := filepath.Join(s.dir, "in")
	for name, text := range map[string]string{"empty.pdf": "", "film.mp4": "x", "copy.md": "", "bad\xff\nname.txt": "A name that is not UTF-8.\n"} {
		if err := os.WriteFile(filepath.Join(in, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyOf, err := os.ReadFile(filepath.Join(in, "part 0/document 000.md"))
	if err == nil {
		err = os.WriteFile(filepath.Join(in, "copy.md"), copyOf, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(in, "sparse.pdf"), nil, 0o600)
	}
	if err == nil {
		err = os.Truncate(filepath.Join(in, "sparse.pdf"), 6<<30)
	}
	if err == nil {
		err = os.Symlink("..", filepath.Join(in, "loop"))
	}
	if err == nil {
		err = syscall.Mkfifo(filepath.Join(in, "pipe.pdf"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := s.ingest("in", "in/part 1", "--tag", "inbox").wait(0)
	if n := first.Summary; n.Files != 19 || n.Completed != 13 || n.Duplicate != 1 || n.Skipped != 5 || n.UploadedBytes != total+26 {
		t.Errorf("first run: %+v of %d bytes", n, total)
	}
	for name, want := range map[string]string{
		"in/empty.pdf": "skipped the file is empty", "in/sparse.pdf": "skipped the file is too large: 6.0 GiB",
		"in/film.mp4": "skipped .mp4 files are not read", "in/loop": "skipped a link to a directory", "in/pipe.pdf": "skipped a named pipe",
		`in/bad\xff\nname.txt`: "completed",
	} {
		if got := first.outcome(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	second := s.ingest("in", "--tag", "inbox").wait(0)
	if n := second.Summary; n.Present != 13 || n.Duplicate != 1 || n.UploadedBytes != 0 {
		t.Errorf("second run: %+v", n)
	}
	if ids := s.documents(); len(ids) != 13 {
		t.Errorf("%d documents, want 13", len(ids))
	}
	s.manage(first.Files[0].DocumentID)
}

// manage uses the documents commands on a completed document.
func (s *site) manage(id string) {
	s.t.Helper()
	for _, c := range []struct{ args, want string }{
		{"get " + id, "inbox"},
		{"status --wait 60s " + id, "completed"},
		{"list --tag inbox --search document --limit 3", "document 0"},
		{"stats", "completed"},
		{"usage", "stored for documents"},
		{"text " + id, " of the"},
	} {
		out, err := s.run(append([]string{"documents"}, strings.Fields(c.args)...)...)
		if err != nil || !strings.Contains(out, c.want) && !strings.Contains(c.args, "text") || out == "" {
			s.t.Errorf("documents %s: %v\n%s", c.args, err, out)
		}
	}
	if out, err := s.run("documents", "delete", id); err == nil || !strings.Contains(err.Error(), "add --yes") {
		s.t.Errorf("delete without --yes and without a terminal: %v\n%s", err, out)
	}
	if out, err := s.run("documents", "delete", "--yes", id, id); err != nil || out != "deleted "+id+"\n" {
		s.t.Errorf("delete: %v\n%s", err, out)
	}
	var exit *exec.ExitError
	for _, c := range []string{"get", "status", "text", "delete --yes"} {
		if _, err := s.run(append(append([]string{"documents"}, strings.Fields(c)...), id)...); !errors.As(err, &exit) || exit.ExitCode() != 3 {
			s.t.Errorf("documents %s of a deleted document: %v, want exit status 3", c, err)
		}
	}
}

// Ctrl-C in the middle, and the same command again: only what is missing.
func TestIngestInterrupted(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	s.serve("--standalone", "--without-worker")
	const files = 60
	total := s.inbox(files, 30_000)
	s.start("worker", "--max-jobs", "5") // so that the run can't be over by then
	run := s.ingest("in")
	run.ended(s, 5)
	_ = run.cmd.Process.Signal(os.Interrupt)
	first := run.wait(130)
	if !first.Interrupted || first.Summary.Failed != 0 || first.Summary.Interrupted == 0 {
		t.Errorf("interrupted run: %+v", first.Summary)
	}
	for _, want := range []string{"stopping; Ctrl-C again ends at once", "run the same command again"} {
		if said := run.stderr.String(); !strings.Contains(said, want) {
			t.Errorf("it said %s", said)
		}
	}
	// A file that had arrived when its upload was broken off counts in neither run.
	s.start("worker")
	second := s.ingest("in").wait(0)
	if n := second.Summary; n.Completed+n.Present != files || n.UploadedBytes+first.Summary.UploadedBytes > total {
		t.Errorf("first %+v, second %+v of %d bytes", first.Summary, n, total)
	}
	if ids := s.documents(); len(ids) != files {
		t.Errorf("%d documents of %d files", len(ids), files)
	}
}

// The server is killed in the middle and comes back: the run goes on and
// nothing is there twice.
func TestIngestServerKilled(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	addr := porttest.Addr(t) // which nobody else is given while it is down
	server := s.serve("--standalone", "--without-worker", "--addr", addr)
	const files = 60
	s.inbox(files, 30_000)
	s.start("worker", "--max-jobs", "5")
	run := s.ingest("in", "--server", s.api)
	run.ended(s, 5)
	server.kill()
	s.start("serve", "--standalone", "--addr", addr)
	got := run.wait(0)
	if n := got.Summary; n.Completed != files {
		t.Errorf("%+v; it said\n%s", n, run.stderr.tail(2000))
	}
	for _, want := range []string{"trying again", "docsvc: " + s.api + " answers again\n"} {
		if said := run.stderr.String(); !strings.Contains(said, want) {
			t.Errorf("it said of the outage, without %q:\n%s", want, run.stderr.tail(2000))
		}
	}
	if ids := s.documents(); len(ids) != files {
		t.Errorf("%d documents of %d files", len(ids), files)
	}
}

// A server that is not there at all is said at once, in JSON too.
func TestIngestWithoutServer(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	s.inbox(1, 100)
	got := s.ingest("in", "--server", "http://127.0.0.1:1").wait(1)
	if !strings.Contains(got.Error, "no answer from http://127.0.0.1:1") || got.Files == nil || len(got.Files) != 0 {
		t.Errorf("%+v", got)
	}
	var stderr bytes.Buffer
	c := exec.Command(docsvc(t), "documents", "list", "--server", "http://127.0.0.1:1")
	c.Env, c.Dir, c.Stderr = s.env, s.dir, &stderr
	if err := c.Run(); err == nil || !strings.Contains(stderr.String(), "docsvc serve --standalone") {
		t.Errorf("documents list: %v\n%s", err, stderr.String())
	}
}

// Objects of the bucket, one by its name and those below a prefix: processed
// where they are, and only once.
func TestIngestObjects(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.serve()
	s.start("worker", "--name", "worker-1")
	env := s.env
	s.env = append(s.env, "DOCSVC_SERVER="+s.api)
	bucket := "s3://" + s.s3.Bucket + "/"
	for _, key := range []string{"one.txt", "in/a.txt", "in/deep/ação b.txt", "in/c.mp4"} {
		s.putObject(key, []byte("The object "+key+" says that a pump was checked.\n"))
	}
	first := s.ingest(bucket+"one.txt", bucket+"in/", "--tag", "objects").wait(0)
	if n := first.Summary; n.Files != 4 || n.Completed != 3 || n.Skipped != 1 || n.UploadedBytes != 0 {
		t.Errorf("first run: %+v %+v", n, first.Files)
	}
	s.untouched("in/a.txt", []byte("The object in/a.txt says that a pump was checked.\n"))
	// All of the bucket: docsvc's own objects are not taken for anybody's.
	second := s.ingest(bucket).wait(0)
	if n := second.Summary; n.Files != 4 || n.Present != 3 {
		t.Errorf("second run: %+v %+v", n, second.Files)
	}
	missing := s.ingest(bucket + "none.txt").wait(1)
	if got := missing.outcome(bucket + "none.txt"); !strings.HasPrefix(got, "failed ") || !strings.Contains(got, "none.txt") {
		t.Errorf("an object that is not there: %s", got)
	}
	if ids := s.documents(); len(ids) != 3 {
		t.Errorf("%d documents, want 3", len(ids))
	}
	// Listing needs settings of the storage, which this machine may not have.
	s.env = nil
	for _, e := range env {
		if !strings.HasPrefix(e, "DOCSVC_STORAGE_") {
			s.env = append(s.env, e)
		}
	}
	s.env = append(s.env, "DOCSVC_SERVER="+s.api)
	got := s.ingest(bucket + "in/").wait(2)
	if !strings.Contains(got.Error, "needs the settings of its storage on this machine") {
		t.Errorf("without settings: %+v", got)
	}
}
