package document

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

const (
	// sweepEvery keeps several workers from sweeping at the same time.
	sweepEvery = 9 * time.Second
	// sweepPage is how many of the waiting documents one sweep looks at; the
	// next one goes on from there. Those in work are always looked at.
	sweepPage = 2000
	// sweepBatch is how many records are read in one round trip.
	sweepBatch = 250
	// lostLimit is how often a document whose job vanished is enqueued again.
	lostLimit = 3
	// lostAfter is how long a job must have been queued before its absence
	// from the queue means that it was lost: a worker of Python's takes a job
	// from the list some time before it says so in the job.
	lostAfter = time.Minute
)

// Swept counts what a sweep did.
type Swept struct {
	Looked   int // documents looked at
	Expired  int // became failed because their upload URL had run out
	Requeued int // their job had vanished and was enqueued again
	Failed   int // became failed as their job had
	Canceled int
	Waiting  int // went back to uploaded as their job had
	Foreign  int // changes by other tools to records and indexes
}

// Sweep brings documents that are not final together with their jobs again,
// where somebody else than docsvc changed or deleted the job, and makes
// documents failed whose upload URL ran out. It is bounded, and does nothing
// when another process swept within the last seconds. Run it every 10 s.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	var swept Swept
	won, err := s.rdb.SetNX(ctx, s.k.sweepLock(), uuid.NewString(), sweepEvery).Result()
	if err != nil || !won {
		return swept, redisError("taking the sweep's lock", err)
	}
	if err := s.sweepUploads(ctx, &swept); err != nil {
		return swept, err
	}
	for _, state := range []State{Extracting, CheckingDuplicates, Chunking} {
		ids, err := s.rdb.ZRange(ctx, s.k.byState(state), 0, sweepPage-1).Result()
		if err != nil {
			return swept, redisError("listing documents in work", err)
		}
		if err := s.sweepAll(ctx, ids, &swept); err != nil {
			return swept, err
		}
	}
	if err := s.sweepWaiting(ctx, &swept); err != nil {
		return swept, err
	}
	return swept, s.audit(ctx, &swept)
}

// sweepWaiting looks at the next page of the documents in state uploaded.
func (s *Service) sweepWaiting(ctx context.Context, swept *Swept) error {
	text, err := s.rdb.Get(ctx, s.k.sweepCursor()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return redisError("reading the sweep's cursor", err)
	}
	from, _ := strconv.ParseInt(text, 10, 64)
	// By rank: documents that leave shift the others, which are then looked at
	// one round later.
	ids, err := s.rdb.ZRange(ctx, s.k.byState(Uploaded), from, from+sweepPage-1).Result()
	if err != nil {
		return redisError("listing waiting documents", err)
	}
	if err := s.sweepAll(ctx, ids, swept); err != nil {
		return err
	}
	next := from + int64(len(ids))
	if len(ids) < sweepPage {
		next = 0
	}
	return redisError("writing the sweep's cursor", s.rdb.Set(ctx, s.k.sweepCursor(), next, 0).Err())
}

func (s *Service) sweepAll(ctx context.Context, ids []string, swept *Swept) error {
	for len(ids) > 0 {
		batch := ids[:min(len(ids), sweepBatch)]
		ids = ids[len(batch):]
		list, errs, err := s.views(ctx, batch)
		if err != nil {
			return err
		}
		for i, v := range list {
			swept.Looked++
			if errs[i] != nil {
				s.dropStale(ctx, batch[i], errs[i], swept)
				continue
			}
			err := s.reconcile(ctx, v, swept)
			var raced *rq.ConditionError
			switch {
			case err == nil || errors.As(err, &raced): // changed meanwhile: it is alive
			case ctx.Err() != nil || rq.IsUnavailable(err):
				return redisError("sweeping document "+v.ID, err)
			default:
				s.c.Log.Warn().Err(err).Str("document", v.ID).Str("job", v.JobID).Msg("sweeping a document")
			}
		}
	}
	return nil
}

// dropStale takes an id out of the indexes that has no record, and reports
// whether it is out.
func (s *Service) dropStale(ctx context.Context, id string, err error, swept *Swept) bool {
	var e *Error
	if !errors.As(err, &e) || e.Kind != NotFound {
		s.c.Log.Warn().Err(err).Str("document", id).Msg("sweeping a document")
		return false
	}
	gone, err := s.recordGone(ctx, id, swept)
	if err != nil {
		s.c.Log.Warn().Err(err).Str("document", id).Msg("dropping an index entry without a record")
	}
	return gone
}

// reconcile compares one document with its job and acts where they differ.
func (s *Service) reconcile(ctx context.Context, v view, swept *Swept) error {
	switch {
	case !v.Status.Active():
		return nil
	case v.job == "":
		return s.revive(ctx, v, swept, "its job was deleted from the queue")
	case v.job == rq.StatusFinished:
		return s.revive(ctx, v, swept, "its job was marked finished without a result of docsvc")
	case v.job == rq.StatusFailed:
		swept.Failed++
		return s.mirrorFailure(ctx, v)
	case v.job == rq.StatusStopped || v.job == rq.StatusCanceled:
		swept.Canceled++
		return s.mirror(ctx, v, Canceled, "canceled outside of docsvc", func(e *effects) {
			e.become(Canceled, "error", "", "error_code", "", "current_step", "", "next_attempt_at", "", "finished_at", stamp(e.at))
			e.add(rq.Del(s.k.password(v.ID)))
		})
	case v.Status.Working() && (v.job == rq.StatusQueued || v.job == rq.StatusScheduled || v.job == rq.StatusDeferred):
		swept.Waiting++
		return s.mirror(ctx, v, Uploaded, "put back outside of docsvc", func(e *effects) {
			e.become(Uploaded, "progress", "0", "current_step", "waiting: its job was put back into the queue")
		})
	case v.job == rq.StatusQueued:
		return s.findLost(ctx, v, swept)
	}
	return nil
}

// same are conditions that hold while document and job are as they were read.
func (s *Service) same(v view) []rq.Condition {
	return append(s.unchanged(v.Document), sameJob(v))
}

func sameJob(v view) rq.Condition {
	if v.job == "" {
		return rq.Condition{Guard: rq.Guard{Key: rq.JobKey(v.JobID), Not: true}}
	}
	return rq.Condition{Guard: rq.Guard{Key: rq.JobKey(v.JobID), Field: "status", Is: string(v.job)}}
}

// mirror changes the document as its job was changed.
func (s *Service) mirror(ctx context.Context, v view, to State, reason string, change func(*effects)) error {
	e := s.outcome(v.Document)
	change(e)
	e.list = append(e.list, s.foreign())
	s.c.Log.Info().Str("document", v.ID).Str("job", v.JobID).Str("status", string(v.job)).Msg("document follows its job: " + reason)
	return s.queue.Apply(ctx, s.same(v), e.list, event(v.ID, v.Status, to, reason))
}

func (s *Service) mirrorFailure(ctx context.Context, v view) error {
	text := "Its job was marked failed outside of docsvc."
	if result, err := s.queue.LatestResult(ctx, v.JobID); err != nil {
		return err
	} else if result != nil && result.Error != "" {
		text = result.Error
	}
	t := rq.Transition{Error: text, ErrorCode: CodeWorkerDied}
	return s.mirror(ctx, v, Failed, "failed outside of docsvc", func(e *effects) {
		text, code := failure(t)
		e.become(Failed, "error", text, "error_code", code, "current_step", "", "next_attempt_at", "", "finished_at", stamp(e.at))
		e.add(rq.Del(s.k.password(v.ID)))
	})
}

// revive enqueues a document again whose job is no longer there, or makes it
// failed when its file is gone, too, or when that happened too often.
func (s *Service) revive(ctx context.Context, v view, swept *Swept, why string) error {
	if v.lost >= lostLimit {
		swept.Failed++
		return s.giveUp(ctx, v, CodeJobLost, fmt.Sprintf(
			"The job of document %s vanished from the queue %d times (%s). Find out who removes it, then ask for processing again.", v.ID, v.lost+1, why))
	}
	store, name := s.file(v.Document)
	object, err := store.Stat(ctx, name)
	if v.SourceKey != "" && errors.Is(err, objstore.ErrNotFound) {
		swept.Failed++
		missing := s.objectMissing(v.Document)
		return s.giveUp(ctx, v, missing.Code, missing.Detail)
	}
	if v.UploadRemoved || errors.Is(err, objstore.ErrNotFound) {
		swept.Failed++
		return s.giveUp(ctx, v, CodeUploadGone, fmt.Sprintf(
			"The job of document %s is gone (%s), and so is its file. Upload it as a new document.", v.ID, why))
	}
	if err != nil {
		return storageError("looking for the file of document "+v.ID, err)
	}
	key := s.k.document(v.ID)
	_, err = s.queue.Enqueue(ctx, rq.Spec{
		ID: v.JobID, Queue: s.c.QueueName, Func: ProcessFunc, Args: []any{v.ID}, Unique: rq.UniqueActive,
		Conditions: s.same(v),
		Effects:    []rq.Effect{rq.HSet(key, append(pinned(v.Document, object), "lost", strconv.Itoa(v.lost+1))...), s.foreign()},
	})
	if err == nil {
		swept.Requeued++
		s.c.Log.Warn().Str("document", v.ID).Str("job", v.JobID).Msg("enqueued the document again: " + why)
	}
	if errors.Is(err, rq.ErrActive) {
		return nil
	}
	return err
}

func (s *Service) giveUp(ctx context.Context, v view, code, text string) error {
	return s.mirror(ctx, v, Failed, code, func(e *effects) {
		e.become(Failed, "error", text, "error_code", code, "current_step", "", "next_attempt_at", "", "finished_at", stamp(e.at))
		e.add(rq.Del(s.k.password(v.ID)))
	})
}

// findLost enqueues a document again whose job says queued but stands in no
// queue: RQ's workers on several queues pop a job before they say so anywhere,
// and one that dies in between loses it (rq/queue.py, dequeue_any). It is
// certain only while the queue is empty.
func (s *Service) findLost(ctx context.Context, v view, swept *Swept) error {
	if s.c.Clock().Sub(v.UpdatedAt) < lostAfter {
		return nil
	}
	job, err := s.queue.Job(ctx, v.JobID)
	if err != nil || job.Status != rq.StatusQueued || s.c.Clock().Sub(job.EnqueuedAt) < lostAfter {
		if errors.Is(err, rq.ErrNoJob) {
			return nil
		}
		return err
	}
	empty := []rq.Condition{
		{Guard: rq.Guard{Key: rq.QueueKey(job.Queue), Not: true}},
		{Guard: rq.Guard{Key: rq.IntermediateKey(job.Queue), Not: true}},
	}
	key := s.k.document(v.ID)
	_, err = s.queue.Enqueue(ctx, rq.Spec{
		ID: v.JobID, Queue: job.Queue, Func: ProcessFunc, Args: []any{v.ID}, Unique: rq.UniqueNo,
		Conditions: append(s.same(v), empty...),
		Effects:    []rq.Effect{rq.HSet(key, "lost", strconv.Itoa(v.lost+1)), s.foreign()},
	})
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return nil
	}
	if err == nil {
		swept.Requeued++
		s.c.Log.Warn().Str("document", v.ID).Str("job", v.JobID).Msg("enqueued the document again: its job was in no queue")
	}
	return err
}
