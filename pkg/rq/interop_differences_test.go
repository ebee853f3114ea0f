package rq_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// full asks for what takes longer; make interop sets it.
var full = flag.Bool("interop.full", false, "more random sequences, other versions of RQ")

// firstSeed chooses other random sequences.
var firstSeed = flag.Uint64("interop.seed", 1, "seed of the first random sequence")

// summaryFile is where the figures of TestInterop go.
var summaryFile = flag.String("interop.summary", "", "write what was compared to this file")

// differences collects what all comparisons of a test found.
type differences struct {
	mu        sync.Mutex
	occurred  map[int][]string // by index of intended, in which scenarios
	scenarios map[string]bool
	runs      int
	steps     int
	found     int
}

func newDifferences() *differences {
	return &differences{occurred: map[int][]string{}, scenarios: map[string]bool{}}
}

// compare fails t for what the dumps of a run differ in from those of RQ
// alone, and is not intended.
func (d *differences) compare(t *testing.T, scenario string, want, got *interop) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scenarios[scenario] = true
	d.runs++
	for i := range min(len(want.dumps), len(got.dumps)) {
		d.steps++
		lines := d.unintended(scenario, want.labels[i], diff(want.dumps[i], got.dumps[i]))
		for _, line := range lines {
			d.found++
			t.Errorf("%s, %s", got.who, line)
		}
		if len(lines) > 0 {
			return // what follows would only repeat it
		}
	}
	if !slices.Equal(want.labels, got.labels) {
		t.Errorf("%s: took the steps %q, want %q", got.who, got.labels, want.labels)
	}
}

// unintended drops the lines that the table allows after a step.
func (d *differences) unintended(scenario, step string, lines []string) []string {
	var out []string
next:
	for _, line := range lines {
		line = step + ": " + line
		for i, row := range intended {
			if row.line != nil && (row.in == "" || row.in == scenario) && row.line.MatchString(line) {
				d.occurred[i] = append(d.occurred[i], scenario)
				continue next
			}
		}
		out = append(out, line)
	}
	return out
}

// unused lists entries of the table whose scenario does not show them.
func (d *differences) unused() []string {
	var out []string
	for i, row := range intended {
		if row.line != nil && !slices.Contains(d.occurred[i], strings.TrimPrefix(row.test, "TestInterop/")) {
			out = append(out, row.name)
		}
	}
	return out
}

func (d *differences) summarize(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d scenarios in %d runs beside RQ's own, %d steps compared, %d exchanges\n", len(d.scenarios), d.runs, d.steps, len(exchanges))
	fmt.Fprintf(&b, "random sequences among them: %d, the first by seed %d\n", len(randomScenarios()), *firstSeed)
	fmt.Fprintf(&b, "differences: %d\nintended differences: %d\n", d.found, len(intended))
	for _, row := range intended {
		fmt.Fprintf(&b, "  %s: %s (%s)\n", row.name, row.reason, row.test)
	}
	t.Log("\n" + b.String())
	if *summaryFile != "" {
		if err := os.WriteFile(*summaryFile, []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}
