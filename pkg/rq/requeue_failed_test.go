package rq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// failed seeds a failed job of q with that score in rq:failed.
func (f *fixture) failed(id, score string) {
	f.t.Helper()
	f.seed(strings.NewReplacer("ID", id, "SCORE", score).Replace(`
		HSET rq:job:ID status failed origin q data {call} ended_at 2026-11-23T11:00:00.000000Z
		ZADD rq:failed:q SCORE ID`))
}

func TestRequeueFailed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.failed("ever", "-1")
		f.failed("expired", fmt.Sprint(noonSec))
		f.failed("a", fmt.Sprint(noonSec+1))
		f.failed("stopped", fmt.Sprint(noonSec+2))
		f.failed("again", fmt.Sprint(noonSec+3))
		f.failed("b", "+inf")
		f.failed("elsewhere", fmt.Sprint(noonSec+4))
		f.failed("running", fmt.Sprint(noonSec+5))
		f.seed(`
			HSET rq:job:stopped status stopped
			HSET rq:job:again ended_at 2026-11-23T12:00:00.250000Z
			HSET rq:job:elsewhere origin p
			HSET rq:job:running status started
			ZADD rq:failed:q ` + fmt.Sprint(noonSec+6) + ` gone`)
		var pages []RequeuedAll
		got, err := f.RequeueFailed(context.Background(), "q", RequeueOptions{}, func(all RequeuedAll) { pages = append(pages, all) })
		if err != nil || got.Requeued != 3 || got.Stopped != 1 || got.Gone != 3 || got.Refused != 0 || len(pages) != 2 || pages[0].Requeued != 1 {
			t.Errorf("%+v, %v, pages %+v", got, err, pages)
		}
		if ids := f.rdb.LRange(context.Background(), "rq:queue:q", 0, -1).Val(); strings.Join(ids, " ") != "ever a b" {
			t.Errorf("queued %v", ids)
		}
		if ids := f.rdb.ZRange(context.Background(), "rq:failed:q", 0, -1).Val(); strings.Join(ids, " ") != "expired stopped again elsewhere running gone" {
			t.Errorf("left %v", ids)
		}
	})
}

// Many pages, of which some entries stay.
func TestRequeueFailedGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		const n = 3*failedPage + 17
		stopped := 0
		for i := range n {
			id := fmt.Sprintf("j%03d", i)
			f.failed(id, fmt.Sprint(noonSec+100+i))
			if i%3 == 0 {
				stopped++
				f.seed("HSET rq:job:" + id + " status stopped")
			}
		}
		got, err := f.RequeueFailed(context.Background(), "q", RequeueOptions{}, nil)
		if err != nil || got.Requeued != n-stopped || got.Stopped != stopped {
			t.Errorf("%+v, %v", got, err)
		}
		if queued := f.rdb.LLen(context.Background(), "rq:queue:q").Val(); queued != int64(n-stopped) {
			t.Errorf("%d queued", queued)
		}
		if got, err = f.RequeueFailed(context.Background(), "none", RequeueOptions{}, nil); err != nil || got.Requeued != 0 {
			t.Errorf("no queue: %+v, %v", got, err)
		}
	})
}

// What cannot be requeued is told, and does not hold up the rest.
func TestRequeueFailedTellsWhatItCouldNotDo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for i := range 12 {
			f.failed(fmt.Sprintf("j%02d", i), fmt.Sprint(noonSec+100+i))
		}
		f.seed("SET rq:queue:q x")
		got, err := f.RequeueFailed(context.Background(), "q", RequeueOptions{}, nil)
		var key *KeyError
		if err != nil || got.Refused != 12 || len(got.Errors) != failedErrors || !errors.As(got.Errors[0], &key) {
			t.Errorf("%+v, %v", got, err)
		}
		f.seed("DEL rq:queue:q")
		// Requeued by somebody else between reading and the script.
		f.o.Effects = func(tr Transition) Extra {
			if tr.Job.ID == "j00" {
				f.seed("HSET rq:job:j00 status queued")
			}
			return Extra{}
		}
		if got, err = f.RequeueFailed(context.Background(), "q", RequeueOptions{}, nil); err != nil || got.Requeued != 11 || got.Gone != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
