package rq

import (
	"context"
	"slices"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestGroups(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		for _, id := range []string{"j2", "j1", "j3"} {
			if _, err := f.Enqueue(ctx, Spec{ID: id, Queue: "q", Func: "app.work", Group: "g", Unique: UniqueAny}); err != nil {
				t.Fatal(err)
			}
		}
		if j, err := f.Job(ctx, "j1"); err != nil || j.GroupID != "g" {
			t.Errorf("%v: %+v", err, j)
		}
		// One that is refused does not become a member.
		if _, err := f.Enqueue(ctx, Spec{ID: "j1", Queue: "q", Func: "app.work", Group: "h", Unique: UniqueAny}); err == nil {
			t.Error("enqueued twice")
		}
		f.seed(`
			DEL rq:job:j3
			SADD rq:groups empty
			SADD rq:group:old a b
			SADD rq:groups old
			SET rq:group:odd x
			SADD rq:groups odd`)
		if got, err := f.Groups(ctx); err != nil || !slices.Equal(got, []string{"g", "odd", "old"}) {
			t.Errorf("groups: %q, %v", got, err)
		}
		var ids []string
		jobs, err := f.GroupJobs(ctx, "g")
		for _, j := range jobs {
			ids = append(ids, j.ID)
		}
		if err != nil || !slices.Equal(ids, []string{"j1", "j2"}) {
			t.Errorf("%v: members %q", err, ids)
		}
		if jobs, err := f.GroupJobs(ctx, "nobody"); err != nil || len(jobs) != 0 {
			t.Errorf("%v: %v", err, jobs)
		}
		if _, err := f.GroupJobs(ctx, "odd"); err == nil {
			t.Error("a key of another type is a group")
		}
		wantChange(t, f.change(func() {
			m, err := f.Maintenance(ctx, []string{"q"})
			if err != nil || m.Groups != 2 {
				t.Errorf("%v: %+v", err, m)
			}
		}), `
			- rq:group:old a
			- rq:group:old b
			- rq:groups empty
			- rq:groups old`)
	})
}
