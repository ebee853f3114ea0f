package pipeline

import (
	"context"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Redis forgets a commit after which the upload was removed, as in a failover:
// the document must not be lost, since its text and chunks are there.
func TestACommitThatRedisForgot(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		r.process(u)
		// Its result is stored, and Redis has never heard of it.
		task, _, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		d := r.doc(u.DocumentID)
		for _, err := range r.store.Delete(context.Background(), d.UploadKey) {
			t.Fatal(err)
		}
		back := []rq.Outcome{{Execution: task.Execution, Job: task.Job, Kind: rq.OutcomeReturnHead}}
		if done, err := r.queue.Finish(context.Background(), back); err != nil || done[0].Err != nil {
			t.Fatal(done, err)
		}
		r.work()
		if after := r.committed(d.ID, sample); after.ExecutionID != task.Execution.ID {
			t.Errorf("committed execution %s, want %s", after.ExecutionID, task.Execution.ID)
		}
		r.until("the record to say that the upload is gone", func() bool { return r.doc(d.ID).UploadRemoved })
	})
}
