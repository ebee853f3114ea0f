package ingest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/client/clienttest"
	"github.com/docsvc/docsvc/pkg/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a directory, a server and what runs against it told.
type rig struct {
	t   *testing.T
	s   *clienttest.Server
	api *client.Client
	dir string

	mu      sync.Mutex
	results map[string]*ingest.Result // by path below dir
	found   int
	listed  bool
	moved   func(ingest.Progress)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, s: clienttest.Start(t), dir: t.TempDir()}
	g.dial(client.Config{})
	return g
}

// dial makes the client that runs use from now on.
func (g *rig) dial(c client.Config) {
	g.t.Helper()
	c.Server, c.Patience = g.s.URL, time.Minute
	api, err := client.New(c)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(api.Close)
	g.api = api
}

func (g *rig) Found(ingest.Candidate) { g.mu.Lock(); g.found++; g.mu.Unlock() }

func (g *rig) Listed() { g.mu.Lock(); g.listed = true; g.mu.Unlock() }

func (g *rig) Moved(p ingest.Progress) {
	if g.moved != nil {
		g.moved(p)
	}
}

func (g *rig) Ended(r *ingest.Result) {
	g.mu.Lock()
	defer g.mu.Unlock()
	name := strings.TrimPrefix(r.Path, g.dir+"/")
	if g.results[name] != nil {
		g.t.Errorf("%s ended twice", name)
	}
	g.results[name] = r
}

func (g *rig) write(name, text string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
	return path
}

// run takes in args, or the directory.
func (g *rig) run(ctx context.Context, o ingest.Options, args ...string) ingest.Report {
	g.t.Helper()
	g.results, g.found, g.listed = map[string]*ingest.Result{}, 0, false
	if len(args) == 0 {
		args = []string{g.dir}
	}
	o.Watch = g
	report := ingest.Run(ctx, g.api, ingest.Files(args), o)
	if report.Files != len(g.results) {
		g.t.Errorf("%d files counted, %d told", report.Files, len(g.results))
	}
	return report
}

func (g *rig) want(name string, outcome ingest.Outcome, reason string) *ingest.Result {
	g.t.Helper()
	r := g.results[name]
	if r == nil {
		g.t.Fatalf("nothing was told of %s", name)
	}
	if r.Outcome != outcome || !strings.Contains(r.Reason, reason) {
		g.t.Errorf("%s: %s %q, want %s %q", name, r.Outcome, r.Reason, outcome, reason)
	}
	return r
}

// puts is how many uploads the server has seen, and forgets them.
func (g *rig) puts() int {
	var n int
	g.s.Do(func() { n, g.s.Puts = len(g.s.Puts), nil })
	return n
}
