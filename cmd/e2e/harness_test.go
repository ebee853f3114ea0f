package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/docsvc/docsvc/cmd" // what is built and run here: a change of it must not find a cached result
	"github.com/docsvc/docsvc/pkg/extract/extracttest"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// patience bounds every wait; a test that needs it has failed.
const patience = 90 * time.Second

var binary struct {
	once sync.Once
	path string
	err  error
}

// TestMain removes the binary that the first test built.
func TestMain(m *testing.M) {
	status := m.Run()
	if binary.path != "" {
		_ = os.RemoveAll(filepath.Dir(binary.path))
	}
	os.Exit(status)
}

// docsvc returns the built binary.
func docsvc(t *testing.T) string {
	t.Helper()
	binary.once.Do(func() {
		dir, err := os.MkdirTemp("", "docsvc-e2e-")
		if err != nil {
			binary.err = err
			return
		}
		binary.path = filepath.Join(dir, "docsvc")
		out, err := exec.Command("go", "build", "-o", binary.path, "github.com/docsvc/docsvc").CombinedOutput()
		if err != nil {
			binary.err = fmt.Errorf("building docsvc: %w\n%s", err, out)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// site is one installation: a directory, a Redis, a bucket, and processes.
type site struct {
	t     *testing.T
	dir   string
	env   []string
	redis *redistest.Server
	s3    *s3test.Server
	api   string // http://host:port of serve
}

// newSite makes an installation with its own Redis and S3 servers.
func newSite(t *testing.T, engine redistest.Engine) *site {
	t.Helper()
	return siteOn(t, redistest.Start(t, engine))
}

// siteOn makes an installation on a Redis.
func siteOn(t *testing.T, srv *redistest.Server) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), redis: srv, s3: s3test.Start(t)}
	s.env = append(baseEnv(t),
		"REDIS_URL="+s.redis.URL,
		"DOCSVC_STORAGE_ENDPOINT="+s.s3.Endpoint, "DOCSVC_STORAGE_BUCKET="+s.s3.Bucket, "DOCSVC_STORAGE_REGION="+s.s3.Region,
		"DOCSVC_STORAGE_PATH_STYLE=true", "DOCSVC_STORAGE_ACCESS_KEY="+s.s3.AccessKey, "DOCSVC_STORAGE_SECRET_KEY="+s.s3.SecretKey,
		"DOCSVC_WORKER_WORK_DIR="+filepath.Join(s.dir, "work"))
	return s
}

func baseEnv(t *testing.T) []string {
	t.Helper()
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "REDIS_URL=") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "DOCSVC_") {
			env = append(env, e)
		}
	}
	return append(env, "DOCSVC_EXTRACT_CACHE_DIR="+extracttest.CacheDir(t), "DOCSVC_LOG_FORMAT=json")
}

// process is a running docsvc.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *logBuffer
	done chan struct{}
	err  error
}

// start runs docsvc in the background; it is killed when the test ends.
func (s *site) start(args ...string) *process {
	s.t.Helper()
	return s.startCommand(exec.Command(docsvc(s.t), args...), args)
}

// startLimited runs docsvc by a line of shell that ends with exec.
func (s *site) startLimited(line string, args ...string) *process {
	s.t.Helper()
	shell := []string{"-c", line + ` "$0" "$@"`, docsvc(s.t)}
	return s.startCommand(exec.Command("sh", append(shell, args...)...), args)
}

func (s *site) startCommand(cmd *exec.Cmd, args []string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: cmd, out: &logBuffer{}, done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = s.dir, s.env
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// A group of its own, so that a kill takes no other process along.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	s.t.Cleanup(func() {
		p.kill()
		if s.t.Failed() {
			s.t.Logf("docsvc %s said:\n%s", strings.Join(args, " "), p.out.tail(4000))
		}
	})
	return p
}

// serve starts the API and waits until it answers.
func (s *site) serve(args ...string) *process {
	s.t.Helper()
	p := s.start(append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	s.until("the API to listen", func() error {
		_, rest, ok := strings.Cut(p.out.String(), "API on ")
		if !ok {
			return p.running()
		}
		s.api, _, _ = strings.Cut(rest, ",")
		return s.get("/readyz", nil)
	})
	return p
}

// run executes one docsvc command and returns what it printed on stdout.
func (s *site) run(args ...string) (string, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, docsvc(s.t), args...)
	c.Dir, c.Env = s.dir, s.env
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("docsvc %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), err
}

func (p *process) running() error {
	select {
	case <-p.done:
		return fmt.Errorf("the process has ended: %v", p.err)
	default:
		return errors.New("not yet")
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop sends a signal and waits for the end; it fails the test when the
// process ends with an error.
func (p *process) stop(sig os.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
		if p.err != nil {
			p.t.Errorf("after %v: %v", sig, p.err)
		}
	case <-time.After(patience):
		p.t.Fatalf("still running long after %v", sig)
	}
}

// until repeats f until it returns nil.
func (s *site) until(what string, f func() error) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	var err error
	for time.Now().Before(deadline) {
		if err = f(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.t.Fatalf("gave up waiting for %s: %v", what, err)
}

// answer is an API response with its body.
type answer struct {
	status int
	body   []byte
}

func (s *site) call(method, url string, body io.Reader, contentType string) (*answer, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := http.DefaultClient.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return &answer{resp.StatusCode, data}, err
}

func (s *site) get(path string, into any) error {
	a, err := s.call(http.MethodGet, s.api+path, nil, "")
	return decode(a, err, into)
}

func (s *site) post(path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	a, err := s.call(http.MethodPost, s.api+path, bytes.NewReader(data), "application/json")
	return decode(a, err, into)
}

func decode(a *answer, err error, into any) error {
	if err != nil {
		return err
	}
	if a.status >= 300 {
		return fmt.Errorf("status %d: %s", a.status, a.body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(a.body, into)
}

// status is what the tests read of a document's status.
type status struct {
	DocumentID  string `json:"document_id"`
	JobID       string `json:"job_id"`
	Status      string `json:"status"`
	Error       string `json:"error"`
	ErrorCode   string `json:"error_code"`
	Attempts    int    `json:"attempts"`
	DuplicateOf string `json:"duplicate_of"`
	Progress    int    `json:"progress"`
	Step        string `json:"current_step"`
}

// submit uploads a file and asks for processing.
func (s *site) submit(name, contentType string, data []byte) (documentID string) {
	s.t.Helper()
	var up struct {
		UploadURL  string `json:"upload_url"`
		DocumentID string `json:"document_id"`
		UploadID   string `json:"upload_id"`
	}
	err := s.post("/api/v1/documents/upload/presigned", map[string]any{"filename": name, "file_size": len(data), "content_type": contentType}, &up)
	if err != nil {
		s.t.Fatal(err)
	}
	if a, err := s.call(http.MethodPut, up.UploadURL, bytes.NewReader(data), ""); err != nil || a.status != 200 {
		s.t.Fatalf("upload: %v %v", a, err)
	}
	if err := s.post("/api/v1/documents/"+up.DocumentID+"/process", map[string]any{"upload_id": up.UploadID}, nil); err != nil {
		s.t.Fatal(err)
	}
	return up.DocumentID
}

func (s *site) status(id string) (*status, error) {
	var st status
	err := s.get("/api/v1/documents/"+id+"/status", &st)
	return &st, err
}

// reach waits until the document has one of the states.
func (s *site) reach(id string, states ...string) *status {
	s.t.Helper()
	var st *status
	s.until("document "+id+" to be "+strings.Join(states, " or "), func() error {
		var err error
		if st, err = s.status(id); err != nil {
			return err
		}
		for _, want := range states {
			if st.Status == want {
				return nil
			}
		}
		return fmt.Errorf("%+v", *st)
	})
	return st
}

// logBuffer is a bytes.Buffer that a process writes while a test reads.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) tail(n int) string {
	s := l.String()
	return s[max(0, len(s)-n):]
}
