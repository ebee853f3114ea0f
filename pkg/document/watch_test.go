package document

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/rq"
)

func TestWatcherTellsThoseConcerned(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		a, stopA := f.watch.subscribe("a")
		defer stopA()
		b, stopB := f.watch.subscribe("b")
		defer stopB()
		// Once the reader has its place in the stream, everybody is told.
		<-a
		<-b
		event := func(labels map[string]string) {
			t.Helper()
			if err := f.queue.Apply(t.Context(), nil, nil, labels); err != nil {
				t.Fatal(err)
			}
		}
		event(map[string]string{"document": "a", "document_to": "completed"})
		<-a
		// Progress within a state is nobody's business; what comes after it is
		// read after it.
		event(map[string]string{"document": "a", "reason": rq.ReasonProgress})
		event(map[string]string{"document": "b", "reason": rq.ReasonProgress, "document_to": "chunking"})
		<-b
		select {
		case <-a:
			t.Error("told of progress")
		default:
		}
	})
}

func TestWatcherSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startRedis(t), nil)
	a, stop := f.watch.subscribe("a")
	defer stop()
	<-a
	f.redis.Kill()
	<-a // told to look for itself
	f.redis.Restart(t)
	for {
		err := f.queue.Apply(t.Context(), nil, nil, map[string]string{"document": "a", "document_to": "failed"})
		if err == nil {
			break
		}
	}
	<-a
}
