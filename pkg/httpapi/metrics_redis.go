package httpapi

import (
	"context"
	"fmt"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// tell writes what Redis knows. Its cost does not grow with documents or jobs.
func (a *api) tell(ctx context.Context, g *gauges) error {
	ledger, err := a.Documents.Ledger(ctx)
	if err != nil {
		return err
	}
	tally, err := a.Queue.Tally(ctx)
	if err != nil {
		return err
	}
	queues, err := a.Queue.QueueInfo(ctx, a.Queues)
	if err != nil {
		return fmt.Errorf("counting queues: %w", err)
	}
	workers, err := a.Queue.Workers(ctx)
	if err != nil {
		return fmt.Errorf("reading the workers: %w", err)
	}
	g.ledger(ledger)
	g.caught(tally)
	g.queues(queues)
	g.workers(workers)
	return nil
}

func (g *gauges) ledger(l *document.Ledger) {
	g.family("docsvc_documents", "gauge", "documents in Redis by status")
	for _, state := range document.States() {
		g.sample("docsvc_documents", float64(l.ByState[state]), "status", string(state))
	}
	for _, m := range []struct {
		name, kind, help string
		value            int64
	}{
		{"docsvc_unaccounted_documents", "gauge", "accepted documents that are nowhere: must be 0", l.Unaccounted},
		{"docsvc_lost_documents", "gauge", "accepted documents whose record is gone from Redis", l.LostDocuments},
		{"docsvc_ledger_accepted_total", "counter", "documents that were accepted, the seeded ones among them", l.Accepted},
		{"docsvc_ledger_seeded_total", "counter", "documents that the ledger found instead of seeing them accepted", l.Seeded},
		{"docsvc_ledger_deleted_total", "counter", "accepted documents that were deleted by a request", l.Deleted},
		{"docsvc_ledger_archived_total", "counter", "accepted documents that were moved into the bucket", l.Archived},
		{"docsvc_ledger_complete", "gauge", "1 when the documents from before the ledger have been counted", truth(l.Complete)},
		{"docsvc_foreign_changes_total", "counter", "changes to jobs, records and indexes that other tools made", l.ForeignChanges},
	} {
		g.one(m.name, m.kind, m.help, float64(m.value))
	}
	if l.AuditedAt != nil {
		g.one("docsvc_ledger_audited_timestamp_seconds", "gauge", "when all documents had last been compared with the ledger", float64(l.AuditedAt.Unix()))
	}
}

// truth is 1 or 0.
func truth(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (g *gauges) caught(t rq.Tally) {
	for _, m := range []struct {
		name, help string
		value      int64
	}{
		{"docsvc_recoveries_total", "jobs taken back from workers that were gone", t.Recovered},
		{"docsvc_worker_deaths_total", "those of them that count towards the limit of 5", t.Deaths},
		{"docsvc_late_finishes_refused_total", "ends of runs that were refused, since their worker had been taken for dead or the job was ended meanwhile", t.LateFinishes},
		{"docsvc_stray_jobs_total", "jobs that stood in no queue and were put back or failed", t.Strays},
		{"docsvc_dropped_entries_total", "entries of queues without a job that waits", t.Dropped},
	} {
		g.one(m.name, "counter", m.help, float64(m.value))
	}
}

func (g *gauges) queues(list []rq.QueueInfo) {
	g.family("docsvc_queue_jobs", "gauge", "jobs by queue and registry")
	for _, q := range list {
		for _, r := range []struct {
			name string
			n    int
		}{{"queued", q.Length}, {"started", q.Started}, {"scheduled", q.Scheduled}, {"deferred", q.Deferred},
			{"finished", q.Finished}, {"failed", q.Failed}, {"canceled", q.Canceled}} {
			g.sample("docsvc_queue_jobs", float64(r.n), "queue", q.Name, "registry", r.name)
		}
	}
	g.family("docsvc_queue_oldest_job_age_seconds", "gauge", "how long the next job has been waiting; 0 without one")
	for _, q := range list {
		g.sample("docsvc_queue_oldest_job_age_seconds", q.OldestAge.Seconds(), "queue", q.Name)
	}
	g.family("docsvc_queue_workers", "gauge", "live workers that listen to the queue")
	for _, q := range list {
		g.sample("docsvc_queue_workers", float64(q.Workers), "queue", q.Name)
	}
}

// workers counts live workers; states that RQ may add are other.
func (g *gauges) workers(list []rq.WorkerInfo) {
	states := []string{"started", "idle", "busy", "suspended", "other"}
	counts := map[string]int{}
	for _, w := range list {
		state := string(w.State)
		if w.Alive {
			for i, known := range states {
				if known == state || i == len(states)-1 {
					counts[known]++
					break
				}
			}
		}
	}
	g.family("docsvc_workers", "gauge", "live workers by state")
	for _, state := range states {
		g.sample("docsvc_workers", float64(counts[state]), "state", state)
	}
}
