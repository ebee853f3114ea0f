package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
)

// outcome is what a run came to.
type outcome struct {
	x          *run
	findings   findings
	documents  map[string]int
	jobs       map[string]int
	executions int
	rebuilt    document.RebuildReport // of the records that a power failure took
	ledger     string
	unclocked  bool // the clock was set: histories have no order
	verdict    verdict
	disorder   []string        // of the events stream by itself
	recovered  []time.Duration // death to back in the queue
	again      []time.Duration // death to claimed again
	late       int             // finishes that were refused
}

// collect looks at everything once all workers and servers have left.
func (o *outcome) collect(ctx context.Context) (err error) {
	x, f := o.x, &o.findings
	if err := x.events.rest(ctx); err != nil {
		return err
	}
	if o.documents, err = x.verifyDocuments(ctx, f); err != nil {
		return err
	}
	if o.jobs, o.executions, err = x.verifyJobs(ctx, f); err != nil {
		return err
	}
	if err := x.verifyBucket(ctx, f); err != nil {
		return err
	}
	if err := x.verifyRedis(ctx, f); err != nil {
		return err
	}
	if !x.o.power { // what Redis forgot is refused
		f.wrong = append(f.wrong, x.ledger.refused...)
	}
	for _, d := range x.deaths.list() {
		if strings.HasPrefix(d.cause, "by itself") {
			add(&f.wrong, "%s ended %s", d.name, d.cause)
		}
	}
	refused, err := x.site.rdb.HVals(ctx, "docsvc:late").Result()
	if err != nil {
		return err
	}
	for _, n := range refused {
		var count int
		_, _ = fmt.Sscan(n, &count)
		o.late += count
	}
	jobs := x.events.byJob()
	o.recovered, o.again = recoveries(x.deaths.list(), jobs)
	o.disorder = inOrder(jobs)
	all, err := histories(x.history(), jobs)
	if err != nil {
		return err
	}
	if x.o.power { // a job's history is cut off, too, and goes on from before
		o.disorder = nil
		return nil
	}
	if o.unclocked = x.clockSet(); o.unclocked {
		return nil
	}
	o.verdict = check(all)
	return nil
}

// clockSet says whether the machine's clock was set during the run, which mixes
// up the times of histories. Being slewed (at most 500 ppm) does not.
func (x *run) clockSet() bool {
	now := time.Now()
	wall, steady := now.Round(0).Sub(x.began.Round(0)), now.Sub(x.began)
	return (wall - steady).Abs() > 20*time.Millisecond+steady/1000
}

// inOrder walks the events of each job, which Redis has put in order, through
// the model.
func inOrder(jobs map[string][]event) []string {
	var out []string
	for job, list := range jobs {
		s := state{phase: "waiting"}
		for _, e := range list {
			o, ok := fromEvent(e)
			if !ok {
				continue
			}
			var legal bool
			if legal, s = step(s, o); !legal {
				out = append(out, fmt.Sprintf("job %s: %s of %s at %s while it was %+v", job, e.reason, e.execution, e.at.UTC().Format(time.StampMilli), s))
				break
			}
		}
	}
	return out
}

// good says whether the run shows what it is to show.
func (o *outcome) good() bool {
	return o.findings.total() == 0 && len(o.verdict.illegal) == 0 && len(o.disorder) == 0 && len(o.tooLittle()) == 0
}

// print writes the table, and below it what was found.
func (o *outcome) print(w io.Writer) {
	x, f := o.x, &o.findings
	row := func(what, format string, args ...any) {
		fmt.Fprintf(w, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(w, "\n| | seed %d, %.0f s, appendfsync %s, lease %s |\n|---|---|\n", x.o.seed, time.Since(x.began).Seconds(), x.o.fsync, x.o.lease)
	row("kills", "%d", x.deaths.kills())
	for _, line := range byKind(x.deaths.list()) {
		row("- "+line[0], "%s", line[1])
	}
	if x.o.power {
		row("power failures of Redis", "%d; %d bytes of the append-only file cut off, of %s at most", len(x.power.losses), x.power.bytes, round(x.power.longest()))
		row("records rebuilt from the bucket", "%d, %d of them of an upload alone", o.rebuilt.Rebuilt, o.rebuilt.RecordLost)
	}
	row("stopped and let go on", "%d, and at failpoints", x.faults.stops.Load())
	row("connections cut, slowed, reset, half open", "%d", x.faults.cuts.Load())
	row("Redis full, without replica, without scripts, paused", "%d", x.faults.refusals.Load())
	row("documents acknowledged", "%d: %s", len(x.ledger.documents), counts(o.documents))
	row("no-op jobs acknowledged", "%d: %s; %d executions", len(x.ledger.jobs), counts(o.jobs), o.executions)
	row("lost", "%d", len(f.lost))
	row("stuck", "%d", len(f.stuck))
	row("effects twice", "%d", len(f.twice))
	row("wrong end", "%d", len(f.wrong))
	row("left behind", "%d", len(f.leftover))
	row("ledger: unaccounted documents", "%s", o.ledger)
	row("late finishes refused", "%d", o.late)
	row("death of a worker to its job back in the queue", "%s", spread(o.recovered))
	row("death of a worker to its job claimed again", "%s", spread(o.again))
	row("porcupine", "%s", o.verdict)
	row("events in order", "%d of %d jobs", len(x.events.byJob())-len(o.disorder), len(x.events.byJob()))
	known, hit, never := x.points.summary()
	row("failpoints hit", "%d of %d known", hit, known)
	row("never hit", "%s", strings.Join(never, " "))
	for _, l := range x.power.losses {
		fmt.Fprintf(w, "power failure: forgotten is what was written %s\n", x.when(l))
	}
	for _, part := range []struct {
		name string
		list []string
	}{{"lost", f.lost}, {"stuck", f.stuck}, {"twice", f.twice}, {"wrong", f.wrong}, {"left behind", f.leftover},
		{"not linearizable", o.verdict.illegal}, {"out of order", o.disorder}, {"too little done", o.tooLittle()}, {"refused to a client", x.ledger.refused}} {
		for i, line := range part.list {
			if i == 20 {
				fmt.Fprintf(w, "%s: and %d more\n", part.name, len(part.list)-i)
				break
			}
			fmt.Fprintf(w, "%s: %s\n", part.name, line)
		}
	}
}

func (v verdict) String() string {
	if v.jobs == 0 {
		return "not checked: power failures cut histories off, or the clock was set during the run"
	}
	if len(v.illegal) > 0 {
		return fmt.Sprintf("NOT linearizable: %d of %d jobs", len(v.illegal), v.jobs)
	}
	text := fmt.Sprintf("linearizable: %d jobs, %d steps", v.jobs, v.steps)
	if v.unknown > 0 {
		text += fmt.Sprintf(", %d jobs not decided in %s", v.unknown, perJob)
	}
	return text
}

// byKind counts deaths by role and cause.
func byKind(list []death) [][2]string {
	n := map[string]map[string]int{}
	for _, d := range list {
		cause, _, _ := strings.Cut(d.cause, ":")
		if n[d.role] == nil {
			n[d.role] = map[string]int{}
		}
		n[d.role][cause]++
	}
	var out [][2]string
	for _, role := range slices.Sorted(maps.Keys(n)) {
		out = append(out, [2]string{role, counts(n[role])})
	}
	return out
}

func counts(m map[string]int) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, fmt.Sprintf("%d %s", m[k], k))
	}
	return strings.Join(parts, ", ")
}

// spread describes sorted times.
func spread(times []time.Duration) string {
	return fmt.Sprintf("p50 %s, p95 %s, max %s, of %d", round(quantile(times, 0.5)), round(quantile(times, 0.95)), round(quantile(times, 1)), len(times))
}

func round(d time.Duration) string { return d.Round(10 * time.Millisecond).String() }
