package rq_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// versionsFile is where TestOtherVersions writes what it found.
var versionsFile = flag.String("interop.versions", "", "write what differs with other versions of RQ to this file")

// known are the differences that come from the versions of RQ themselves:
// what the newer one writes and the older one does not know, or ignores; and
// for 3.0, how its workers show themselves.
var known = regexp.MustCompile(`/(execution_id|execution_started_at|execution_ended_at|worker_name|enqueue_at_front_on_retry|group_id|` +
	`number_of_retries|python_version|version|created_at|enqueued_at|last_heartbeat|birth|death|started_at|ended_at|ip_address|pid|hostname)(:| )` +
	`|rq:scheduler:|rq:scheduler-lock:|rq:(execution:\S+:|executions:\S+/|wip:\S+:)X\d` +
	`|rq:clean_groups|rq:worker:worker-1:executions|rq:worker:worker-1/current_job`)

// TestOtherVersions runs the scenarios with other versions of RQ beside
// docsvc, and compares with that version alone. What it does not have is left
// out.
func TestOtherVersions(t *testing.T) {
	if !*full {
		t.Skip("only with -interop.full")
	}
	for _, version := range []string{"2.0", "2.6", "3.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			bin := redistest.NamedPython(t, "rq-"+version)
			found := &otherVersion{fields: map[string]map[string]bool{}}
			l := openLane(t, bin, redistest.RedisServer)
			mine := slices.Concat(scenarios, moreScenarios, producerScenarios)
			if version != "2.0" { // to which a returned Retry is a result like any other
				mine = append(mine, workerScenarios...)
			}
			for _, s := range mine {
				t.Run(s.name, func(sub *testing.T) {
					defer func() {
						if sub.Failed() || sub.Skipped() {
							l = openLane(t, bin, redistest.RedisServer) // its Python may still be at work
						}
					}()
					found.run(sub, l, s)
				})
			}
			found.report(t, version)
		})
	}
}

type otherVersion struct {
	same, missing []string
	fields        map[string]map[string]bool // scenario -> what differs
}

func (o *otherVersion) run(t *testing.T, l *lane, s scenario) {
	l.peer.old = true
	if l.spare != nil {
		l.spare.old = true
	}
	done := false
	defer func() {
		if !done && t.Skipped() {
			o.missing = append(o.missing, s.name)
		}
	}()
	want := l.fresh(t, python, python)
	s.steps(want)
	o.same = append(o.same, s.name)
	for _, roles := range [][2]side{{python, docsvc}, {docsvc, python}} {
		if s.roles == pythonProduces && roles[0] != python || s.roles == pythonWorks && roles[1] != python {
			continue
		}
		r := l.fresh(t, roles[0], roles[1])
		s.steps(r)
		for i := range min(len(want.dumps), len(r.dumps)) {
			for _, line := range newDifferences().unintended(s.name, want.labels[i], diff(want.dumps[i], r.dumps[i])) {
				if known.MatchString(line) {
					continue
				}
				if o.fields[s.name] == nil {
					o.fields[s.name] = map[string]bool{}
				}
				o.fields[s.name][fmt.Sprintf("%s -> %s, %s", r.producer, r.worker, line)] = true
			}
		}
	}
	done = true
}

func (o *otherVersion) report(t *testing.T, version string) {
	var b strings.Builder
	fmt.Fprintf(&b, "rq %s: %d scenarios run, %d differ\n", version, len(o.same), len(o.fields))
	if len(o.missing) > 0 {
		fmt.Fprintf(&b, "  not in this version: %s\n", strings.Join(o.missing, ", "))
	}
	for _, s := range slices.Sorted(maps.Keys(o.fields)) {
		fmt.Fprintf(&b, "  %s: %s\n", s, otherVersions[version][s])
		if otherVersions[version][s] != "" {
			continue
		}
		for _, line := range slices.Sorted(maps.Keys(o.fields[s])) {
			fmt.Fprintf(&b, "    %.300s\n", line)
		}
	}
	t.Log("\n" + b.String())
	for s, lines := range o.fields {
		if otherVersions[version][s] == "" {
			t.Errorf("%s: differs by %d lines", s, len(lines))
		}
	}
	for s := range otherVersions[version] {
		if o.fields[s] == nil {
			t.Errorf("%s: does not differ; take it out of the table", s)
		}
	}
	if *versionsFile != "" {
		f, err := os.OpenFile(*versionsFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.WriteString(b.String()); err != nil {
			t.Error(err)
		}
	}
}
