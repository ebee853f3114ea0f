package document

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// rebuildParallel is how many documents are rebuilt at a time.
	rebuildParallel = 16
	// rebuildListed bounds the problems in a report.
	rebuildListed = 100
	// rebuildTell is the time between two calls of Progress.
	rebuildTell = 2 * time.Second
)

// RebuildOptions says what Rebuild is to do.
type RebuildOptions struct {
	// Archived brings archived documents back, too.
	Archived bool
	// DryRun changes nothing and reports what would be done.
	DryRun bool
	// ID is the only document to be rebuilt, also when it is archived.
	ID string
	// Progress, when set, is called every few seconds while it runs, never
	// twice at once.
	Progress func(RebuildReport)
}

// RebuildReport counts the documents of the bucket and what was done, or in a
// dry run would have been done.
type RebuildReport struct {
	DryRun  bool  `json:"dry_run"`
	Seen    int64 `json:"seen"`    // documents with objects in the bucket
	Rebuilt int64 `json:"rebuilt"` // records made, or brought up to what the bucket knows
	// RecordLost are those of Rebuilt of which only the upload was there: they
	// are failed, code record_lost, and can be processed.
	RecordLost int64 `json:"record_lost"`
	Present    int64 `json:"present"`    // had their record; only indexes were completed
	Archived   int64 `json:"archived"`   // left in the archive
	Deleted    int64 `json:"deleted"`    // their objects are about to be removed
	Incomplete int64 `json:"incomplete"` // too little was there to tell what they were
	Failed     int64 `json:"failed"`     // left alone: see Problems
	// Problems are the reasons of Incomplete and Failed, at most 100.
	Problems []RebuildProblem `json:"problems"`
	Seconds  float64          `json:"seconds"`
}

// RebuildProblem is why one document was not rebuilt.
type RebuildProblem struct {
	DocumentID string `json:"document_id"`
	Reason     string `json:"reason"`
}

// Rebuild makes records from what the bucket holds, for a Redis that lost them
// or a part of them. It makes a record only where there is none, or where the
// one that is there has not heard of the run that completed the document, so
// it may run beside everything else, be ended anywhere and be run again; the
// report is of what was done also when an error ends it. Memory does not grow
// with the bucket. An empty Redis is taken into the bucket's installation, at
// the end of a run that was not ended before: until then no document is taken
// in, and cleanup refuses to run.
//
// Errors: Conflict (installation_mismatch, records_missing: not known whose
// the bucket is, or one document asked for of an empty Redis), NotFound (ID),
// Unavailable, or ctx's.
func (s *Service) Rebuild(ctx context.Context, o RebuildOptions) (RebuildReport, error) {
	b := &rebuild{s: s, o: o, began: s.c.Clock(), told: time.Now()}
	b.report = RebuildReport{DryRun: o.DryRun, Problems: []RebuildProblem{}}
	takeOver, err := b.admit(ctx)
	if err == nil {
		err = b.run(ctx)
	}
	if err == nil && o.ID != "" && b.report.Seen == b.report.Deleted {
		err = notFound(o.ID)
	}
	if err == nil && takeOver != "" && !o.DryRun {
		err = s.takeOver(ctx, takeOver)
	}
	b.report.Seconds = float64(s.c.Clock().Sub(b.began).Milliseconds()) / 1000
	return b.report, err
}

// admit decides whether bucket and Redis may be used together. takeOver is
// the bucket's installation when Redis has none.
func (b *rebuild) admit(ctx context.Context) (takeOver string, err error) {
	if b.o.ID != "" && !validID(b.o.ID) {
		return "", notFound(b.o.ID)
	}
	i, err := b.s.installation(ctx)
	if err != nil {
		return "", err
	}
	if i.redis == "" && i.bucket != "" {
		if b.o.ID != "" {
			return "", &Error{Kind: Conflict, Code: CodeRecordsMissing, Detail: fmt.Sprintf(
				"Redis knows nothing of bucket %s. Rebuild all of it first: docsvc documents rebuild", b.s.store.Bucket())}
		}
		return i.bucket, nil
	}
	return "", i.check(b.s.store.Bucket())
}

// takeOver gives an empty Redis the installation id of the bucket.
func (s *Service) takeOver(ctx context.Context, id string) error {
	// Its records came from the bucket: there is none to be noted as unsaved.
	if err := s.rdb.HSet(ctx, s.k.keepCursor(), notedField, "1").Err(); err != nil {
		return redisError("noting that the records are saved", err)
	}
	if err := s.rdb.SetNX(ctx, s.k.installation(), id, 0).Err(); err != nil {
		return redisError("writing the installation id", err)
	}
	return s.CheckInstallation(ctx)
}

// rebuild is one run.
type rebuild struct {
	s     *Service
	o     RebuildOptions
	began time.Time

	mu     sync.Mutex
	report RebuildReport
	told   time.Time
}

// run goes through the bucket, document by document, several at a time.
func (b *rebuild) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	work := make(chan *remains)
	var workers sync.WaitGroup
	for range rebuildParallel {
		workers.Go(func() {
			for g := range work {
				if err := b.document(ctx, g); err != nil {
					stop(err)
				}
			}
		})
	}
	err := b.walk(ctx, func(g *remains) error {
		select {
		case work <- g:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	close(work)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// document rebuilds one document and counts it. The error is one that ends
// the run.
func (b *rebuild) document(ctx context.Context, g *remains) error {
	became, err := b.one(ctx, g)
	if err == nil && !b.o.DryRun && (became == &b.report.Rebuilt || became == &b.report.Present) {
		err = b.s.auditDocument(ctx, g.id)
	}
	var e *Error
	if err != nil && (ctx.Err() != nil || !errors.As(err, &e) || e.Kind != Internal) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &b.report
	r.Seen++
	if err != nil {
		became, g.reason = &r.Failed, err.Error()
	}
	*became++
	if g.reason != "" && len(r.Problems) < rebuildListed {
		r.Problems = append(r.Problems, RebuildProblem{g.id, g.reason})
	}
	if b.o.Progress != nil && time.Since(b.told) >= rebuildTell {
		b.told = time.Now()
		now := *r
		now.Problems = append([]RebuildProblem{}, r.Problems...)
		now.Seconds = float64(b.s.c.Clock().Sub(b.began).Milliseconds()) / 1000
		b.o.Progress(now)
	}
	return nil
}
