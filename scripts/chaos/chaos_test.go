package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	_ "github.com/docsvc/docsvc/cmd" // what is built and broken here: a change of it must not find a cached result
	"github.com/docsvc/docsvc/pkg/redistest"
)

// The short form of make chaos. It runs as the program, without the race
// detector, because toxiproxy has races of its own.
func TestShortRun(t *testing.T) {
	if redistest.Binary() == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server on PATH or below .cache: CI must have one (make test fetches it)")
		}
		t.Skip("no redis-server on PATH or below .cache")
	}
	program := filepath.Join(t.TempDir(), "chaos")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-short").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

// What the model refuses, so that its verdict means something.
func TestModel(t *testing.T) {
	t.Parallel()
	claim := func(e string) op { return op{"j", "claim", e, "", "claimed"} }
	finish := func(e, answer string) op { return op{"j", "finish", e, "finished", answer} }
	taken := func(e string) op { return op{"j", "recover", e, "head", "ok"} }
	for _, c := range []struct {
		name  string
		steps []op
		legal bool
	}{
		{"a plain run", []op{claim("a"), finish("a", "ok")}, true},
		{"the answers lost once", []op{claim("a"), claim("a"), finish("a", "ok"), finish("a", "ok")}, true},
		{"taken from a dead worker", []op{claim("a"), taken("a"), claim("b"), finish("b", "ok")}, true},
		{"who comes back is refused", []op{claim("a"), taken("a"), claim("b"), finish("a", "late"), finish("b", "ok")}, true},
		{"two hold it", []op{claim("a"), claim("b")}, false},
		{"who comes back finishes it", []op{claim("a"), taken("a"), claim("b"), finish("a", "ok")}, false},
		{"finished twice", []op{claim("a"), finish("a", "ok"), claim("b"), finish("b", "ok")}, false},
		{"the holder is refused", []op{claim("a"), finish("a", "late")}, false},
		{"recovered twice", []op{claim("a"), taken("a"), taken("a")}, false},
		{"recovered after its end", []op{claim("a"), finish("a", "ok"), taken("a")}, false},
		{"enqueued while it is held", []op{claim("a"), {"j", "queue", "", "queued", "ok"}}, false},
		{"canceled while it is held", []op{claim("a"), {"j", "cancel", "", "canceled", "ok"}, finish("a", "late")}, true},
	} {
		var history []porcupine.Operation
		for i, o := range c.steps {
			history = append(history, porcupine.Operation{Input: o, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if got := porcupine.CheckOperations(model, history); got != c.legal {
			t.Errorf("%s: legal %t, want %t", c.name, got, c.legal)
		}
	}
}

// A run in which nothing was at stake shows nothing.
func TestARunThatDidNothingIsNotGood(t *testing.T) {
	t.Parallel()
	run := func(change func(*outcome)) *outcome {
		x := &run{o: options{kills: 4, documents: 20, noops: 20}, deaths: &deaths{}, ledger: &ledger{}, power: &power{}}
		o := &outcome{x: x, documents: map[string]int{"completed": 10}, jobs: map[string]int{"finished": 10}, verdict: verdict{jobs: 20, steps: 60}}
		for range 4 {
			x.deaths.add(death{cause: "kill"})
		}
		x.ledger.documents, x.ledger.jobs = make([]*taken, 10), make([]noop, 10)
		change(o)
		return o
	}
	if o := run(func(*outcome) {}); !o.good() {
		t.Errorf("a run that did what was planned is refused: %q", o.tooLittle())
	}
	for what, change := range map[string]func(*outcome){
		"no kills":                 func(o *outcome) { o.x.deaths.all = nil },
		"few kills":                func(o *outcome) { o.x.deaths.all = o.x.deaths.all[:1] },
		"ended instead of killed":  func(o *outcome) { o.x.deaths.all = slices.Repeat([]death{{cause: "term"}}, 9) },
		"few kills in its time":    func(o *outcome) { o.x.o.kills, o.x.o.limit = 0, time.Minute },
		"no documents":             func(o *outcome) { o.x.ledger.documents = nil },
		"hardly a document":        func(o *outcome) { o.x.ledger.documents = o.x.ledger.documents[:1] },
		"no jobs":                  func(o *outcome) { o.x.ledger.jobs = nil },
		"all documents failed":     func(o *outcome) { o.documents = map[string]int{"failed": 10} },
		"all jobs failed":          func(o *outcome) { o.jobs = map[string]int{"failed": 10} },
		"no histories":             func(o *outcome) { o.verdict = verdict{} },
		"histories not decided":    func(o *outcome) { o.verdict.unknown = 19 },
		"power that did not fail":  func(o *outcome) { o.x.o.power = true },
		"something lost":           func(o *outcome) { o.findings.lost = []string{"it"} },
		"a history that can't be":  func(o *outcome) { o.verdict.illegal = []string{"it"} },
		"events that are no order": func(o *outcome) { o.disorder = []string{"it"} },
	} {
		if run(change).good() {
			t.Errorf("%s: the run passes", what)
		}
	}
	if o := run(func(o *outcome) { o.unclocked, o.verdict = true, verdict{} }); !o.good() {
		t.Errorf("a run whose clock was set is refused: %q", o.tooLittle())
	}
}

// What a call did may be lost when it was done before the failure and within
// what a power failure takes, for all that is known of its time.
func TestWhatAPowerFailureMayTake(t *testing.T) {
	t.Parallel()
	failed := time.Now()
	p := power{losses: []call{{failed.Add(-time.Second), failed}}}
	at := func(from, to float64) call {
		return call{failed.Add(time.Duration(from * float64(time.Second))), failed.Add(time.Duration(to * float64(time.Second)))}
	}
	for _, c := range []struct {
		call call
		may  bool
	}{
		{at(-9, -8), false},
		{at(-9, -2), true},
		{at(-0.5, -0.4), true},
		{at(-0.5, 60), true}, // done before, and its answer stood in a slow connection
		{at(-60, 60), true},
		{at(0.1, 0.2), false},
		{at(0.1, 60), false},
	} {
		if got := p.unsure(c.call); got != c.may {
			t.Errorf("asked %s and answered %s after the failure: may be lost %t, want %t", c.call.from.Sub(failed), c.call.to.Sub(failed), got, c.may)
		}
	}
}

// The package comment has a line for each file.
func TestFilesAreNamed(t *testing.T) {
	t.Parallel()
	comment, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if name != "doc.go" && !strings.HasSuffix(name, "_test.go") && !strings.Contains(string(comment), "\n//\t"+name+" ") {
			t.Errorf("doc.go doesn't name %s", name)
		}
	}
}

// The same seed gives the same documents and jobs.
func TestPlanComesFromItsSeed(t *testing.T) {
	t.Parallel()
	a, b, other := newPlan(7, 50, 50, 0), newPlan(7, 50, 50, 0), newPlan(8, 50, 50, 0)
	same := 0
	for i := range a.documents {
		if a.documents[i].sum != b.documents[i].sum || a.documents[i].fate != b.documents[i].fate || a.noops[i] != b.noops[i] {
			t.Fatalf("document or job %d differs", i)
		}
		if a.documents[i].sum == other.documents[i].sum {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d documents of another seed are the same", same)
	}
}
