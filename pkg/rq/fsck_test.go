package rq

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func (f *fixture) fsck(o FsckOptions) (FsckReport, string) {
	f.t.Helper()
	var undo bytes.Buffer
	o.Age = max(o.Age, time.Millisecond)
	o.Undo = &undo
	o.Rate = 1e6
	r, err := f.Fsck(context.Background(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	return r, undo.String()
}

func findingTexts(r FsckReport) string {
	var lines []string
	for _, x := range r.Findings {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", x.Kind, x.Key, x.JobID)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func tidy(text string) string {
	var lines []string
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Each kind of damage is named, repaired as it should be, and brought back by
// the undo file exactly as it was.
func TestFsckNamesRepairsAndUndoes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range fsckCases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{Idempotent: func(fn string) bool { return fn == "app.work" }})
				f.seed(c.seed)
				var named FsckReport
				if change := f.change(func() { named, _ = f.fsck(FsckOptions{}) }); change != "" {
					t.Errorf("looking changed the keyspace:\n%s", change)
				}
				if got, want := findingTexts(named), tidy(c.found); got != want {
					t.Fatalf("found\n%s\nwant\n%s\n%+v", got, want, named.Findings)
				}
				before := f.keyspace()
				var fixed FsckReport
				var undo string
				change := f.change(func() { fixed, undo = f.fsck(FsckOptions{Fix: true}) })
				change = without(without(change, "docsvc:events"), "docsvc:receipts")
				wantChange(t, change, c.change)
				after, _ := f.fsck(FsckOptions{})
				left := 0
				for _, x := range named.Findings {
					if x.Left != "" {
						left++
					}
				}
				if fixed.Fixed != len(named.Findings)-left || fixed.Remaining != left || len(after.Findings) != left {
					t.Errorf("fixed %d, left %d, then found %s; want %d left\n%+v", fixed.Fixed, fixed.Remaining, findingTexts(after), left, fixed.Findings)
				}
				back, err := f.FsckRestore(context.Background(), strings.NewReader(undo))
				if err != nil || back.Restored != strings.Count(undo, `"result":"fixed"`) || len(back.Skipped) > 0 {
					t.Errorf("restored %+v of %d, %v", back, fixed.Fixed, err)
				}
				drop := func(lines []string) string {
					return without(without(strings.Join(lines, "\n"), "docsvc:events"), "docsvc:receipts")
				}
				if got, want := drop(f.keyspace()), drop(before); got != want {
					t.Errorf("undoing left it otherwise:\n%s\nundo file:\n%s", lineDiff(got, want), undo)
				}
			})
		}
	})
}

// What a repair uncovers is repaired, too.
func TestFsckGoesOnUntilNothingIsLeft(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Namespace: "my[*]\\?:"})
		f.seed(`
			HSET rq:job:j1 status queued origin q data {call} enqueued_at 2026-11-23T11:00:00.000000Z
			ZADD rq:wip:q 1795435000 j1:e1
			ZADD my[*]\?:lease:q 1795435000000 j1:e2
			SADD rq:queues rq:queue:q
			SADD rq:groups g
			SADD rq:group:g gone`)
		before := f.keyspace()
		var r FsckReport
		var undo string
		change := f.change(func() { r, undo = f.fsck(FsckOptions{Fix: true, Limit: 2, NoOwnRuns: true}) })
		wantChange(t, without(without(change, ":events"), ":receipts"), `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:queue:q [j1]
			- my[*]\?:lease:q j1:e2 1795435000000
			- rq:group:g gone
			- rq:groups g
			- rq:job:j1 enqueued_at = 2026-11-23T11:00:00.000000Z
			- rq:wip:q j1:e1 1795435000`)
		if r.Fixed != 5 || r.Remaining != 0 || r.Truncated {
			t.Errorf("%+v", r)
		}
		if back, err := f.FsckRestore(context.Background(), strings.NewReader(undo)); err != nil || back.Restored != 5 {
			t.Errorf("restored %+v, %v", back, err)
		}
		drop := func(lines []string) string {
			return without(without(strings.Join(lines, "\n"), ":events"), ":receipts")
		}
		if got, want := drop(f.keyspace()), drop(before); got != want {
			t.Errorf("undoing left it otherwise:\n%s", lineDiff(got, want))
		}
	})
}

// A repair that would write to a key of another type is not made in part.
func TestFsckLeavesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:j1 status started origin q data {call} failure_ttl 60
			SET rq:failed:q x
			SET docsvc:fsck:moved:rq:failed:q occupied`)
		var r FsckReport
		if change := f.change(func() { r, _ = f.fsck(FsckOptions{Fix: true}) }); change != "" {
			t.Errorf("changed\n%s", change)
		}
		if r.Fixed != 0 || len(r.Findings) != 2 || r.Findings[0].State != FsckLeft || r.Remaining != 2 {
			t.Errorf("%+v", r)
		}
	})
}
