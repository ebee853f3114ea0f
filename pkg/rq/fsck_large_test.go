package rq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/redis/go-redis/v9"
)

// digested notes the commands by which a script takes in the whole of a key.
type digested struct{ calls []string }

func (d *digested) DialHook(next redis.DialHook) redis.DialHook { return next }

func (d *digested) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (d *digested) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error {
		if args := c.Args(); strings.HasPrefix(strings.ToLower(c.Name()), "eval") && len(args) > 2 {
			if text := fmt.Sprint(args[2:]...); strings.Contains(text, "CONTENT") {
				d.calls = append(d.calls, text)
			}
		}
		return next(ctx, c)
	}
}

// What is too large to be undone is left, before a script takes it in: Redis
// would answer nobody meanwhile.
func TestFsckLeavesWhatIsTooLargeWithoutReadingIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		members := make([]any, maxUndo+1)
		for i := range members {
			members[i] = i
		}
		ctx := context.Background()
		f.rdb.SAdd(ctx, "rq:job:large:dependents", members...)
		f.rdb.SAdd(ctx, "rq:job:small:dependents", members[:9]...)
		seen := &digested{}
		f.rdb.AddHook(seen)
		r, _ := f.fsck(FsckOptions{Fix: true})
		for _, x := range r.Findings {
			large := x.JobID == "large"
			if left := strings.Contains(x.Left, "too large"); left != large || (x.State == FsckFixed) == large {
				t.Errorf("%+v", x)
			}
		}
		if len(r.Findings) != 2 || len(seen.calls) == 0 {
			t.Errorf("%d calls, %+v", len(seen.calls), r)
		}
		if slices.ContainsFunc(seen.calls, func(c string) bool { return strings.Contains(c, "large") }) {
			t.Error("a script took in what is too large")
		}
		if n := f.rdb.SCard(ctx, "rq:job:large:dependents").Val(); n != int64(len(members)) {
			t.Errorf("%d members left", n)
		}
	})
}
