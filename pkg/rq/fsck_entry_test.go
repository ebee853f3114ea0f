package rq

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// An entry is put back only while there is one fewer than there were.
func TestFsckPutsNoEntryBackThatIsThere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range []struct {
			name, queue, since string
			noResults          bool // the undo file ends before them
			restored, skipped  int
			want               string
		}{
			{"taken out", "j0 j1", "", false, 1, 0, "[j0 j1]"},
			{"taken out, which the undo file doesn't say", "j0 j1 j2", "", true, 1, 0, "[j0 j1 j2]"},
			{"never taken out", "j0 j1 j2", "DEL rq:queue:q\nRPUSH rq:queue:q j0 j1 j2", true, 0, 1, "[j0 j1 j2]"},
			{"never taken out, the last one", "j0 j1", "DEL rq:queue:q\nRPUSH rq:queue:q j0 j1", true, 0, 1, "[j0 j1]"},
			{"enqueued again", "j0 j1", "RPUSH rq:queue:q j1", false, 0, 1, "[j0 j1]"},
			{"enqueued again, one of two", "j1 j0 j1", "RPUSH rq:queue:q j1", false, 1, 1, "[j1 j0 j1]"},
			{"twice, and what stood behind one is gone", "j1 j0 j1 j2", "LREM rq:queue:q 1 j2", false, 2, 0, "[j1 j1 j0]"},
		} {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(`
					HSET rq:job:j0 status created origin q data {call}
					HSET rq:job:j1 status finished origin q data {call}
					HSET rq:job:j2 status created origin q data {call}
					SADD rq:queues rq:queue:q
					RPUSH rq:queue:q ` + c.queue)
				ctx := context.Background()
				var undo bytes.Buffer
				o := FsckOptions{Age: time.Millisecond, Fix: true, Undo: &undo, Queues: []string{"q"}}
				if r, err := f.Fsck(ctx, o); err != nil || len(r.Findings) == 0 || r.Findings[0].Kind != FsckEntryNotWaiting || r.Findings[0].State != FsckFixed {
					t.Fatalf("%+v, %v", r, err)
				}
				text := undo.String()
				if c.noResults {
					text, _, _ = strings.Cut(text, "\n")
				}
				f.seed(c.since)
				back, err := f.FsckRestore(ctx, strings.NewReader(text))
				if err != nil || back.Restored != c.restored || len(back.Skipped) != c.skipped {
					t.Errorf("%+v, %v\n%s", back, err, text)
				}
				if got := fmt.Sprint(f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val()); got != c.want {
					t.Errorf("the queue is %s, want %s", got, c.want)
				}
			})
		}
	})
}
