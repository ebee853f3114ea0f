package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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
