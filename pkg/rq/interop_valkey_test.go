package rq_test

import (
	"slices"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// onValkey are the scenarios that between them call the scripts of every
// transition, with what Redis forks could differ in: streams, scores, times to
// live, blocking calls and publishing.
var onValkey = []string{
	"success", "every option", "retry with intervals", "scheduled", "dependency that may fail", "abandoned", "stopped",
	"repeat more often than intervals", "group", "canceled", "suspended and resumed", "returned Retry", "deleted with dependents",
}

// TestValkey runs scenarios on Valkey; all of them with -interop.full.
func TestValkey(t *testing.T) {
	t.Parallel()
	bin := redistest.Python(t)
	l := openLane(t, bin, redistest.Valkey)
	met := newDifferences()
	ran := map[string]bool{}
	for _, s := range allScenarios() {
		if ran[s.name] = true; !*full && !slices.Contains(onValkey, s.name) {
			continue
		}
		t.Run(s.name, func(sub *testing.T) {
			defer func() {
				if sub.Failed() {
					l = openLane(t, bin, redistest.Valkey) // its Python may still be at work
				}
			}()
			compareSides(sub, l, s, met)
		})
	}
	for _, name := range onValkey {
		if !ran[name] {
			t.Errorf("there is no scenario %q", name)
		}
	}
	t.Logf("%d scenarios in %d runs, %d steps compared, %d differences", len(met.scenarios), met.runs, met.steps, met.found)
}
