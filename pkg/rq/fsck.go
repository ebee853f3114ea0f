package rq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Fsck looks whether the queue's keys agree with one another, in both
// directions: what lists and registries name must have a hash that says so,
// and what a hash says must be found there. It is safe beside running workers:
// a finding counts only when it was seen twice, Age apart, with nothing about
// it changed meanwhile; repairs are made by a script that looks at everything
// they rest on again. It reads in small steps (fsck_pace.go) and keeps no list
// of all jobs: which ids stand in queues it remembers in a sieve (fsck_hold.go).
//
// A look goes through all keys (fsck_walk.go) and makes units of them
// (fsck_units.go). Of each it reads what it needs (fsck_facts.go) and judges it:
// fsck_jobs.go, fsck_executions.go, fsck_places.go. A judgement may bring a
// repair, made of edits (fsck_edit.go), a job's transition (fsck_move.go) or
// both, which fsck_fix.go makes and fsck_restore.go undoes.
//
// What RQ's and docsvc's own cleaning removes within minutes is no finding.

// FsckKind names a kind of damage.
type FsckKind string

// The kinds of damage that Fsck knows.
const (
	FsckBadEntry         FsckKind = "bad_entry"                // in a list or registry, and not a job id
	FsckBadMember        FsckKind = "bad_member"               // of rq:queues, rq:workers or rq:workers:Q, and not a key
	FsckEntryWithoutJob  FsckKind = "entry_without_job"        // in a list or registry
	FsckEntryNotWaiting  FsckKind = "entry_not_waiting"        // in a queue, of a job that is not queued
	FsckRegistryMismatch FsckKind = "registry_mismatch"        // in scheduled or deferred, of a job that is not
	FsckIntermediate     FsckKind = "intermediate_leftover"    // taken by a worker of RQ that never started it
	FsckCompact          FsckKind = "compact_leftover"         // RQ's Queue.compact() did not end
	FsckQueuedLost       FsckKind = "queued_lost"              // says queued, stands in no queue
	FsckStartedLost      FsckKind = "started_lost"             // says started, has no execution
	FsckScheduledLost    FsckKind = "scheduled_lost"           // says scheduled, stands in no registry
	FsckDeferredLost     FsckKind = "deferred_lost"            // says deferred, stands in no registry
	FsckDeferredReady    FsckKind = "deferred_ready"           // waits for jobs that are all done
	FsckCorrupt          FsckKind = "corrupt_job"              // fields that RQ cannot read
	FsckNoJob            FsckKind = "execution_without_job"    // in rq:wip
	FsckNotStarted       FsckKind = "execution_of_other_state" // in rq:wip, of a job that is not started
	FsckAbandoned        FsckKind = "abandoned_execution"      // its time in rq:wip passed long ago
	FsckIncomplete       FsckKind = "execution_incomplete"     // in rq:wip, without its hash
	FsckNoLease          FsckKind = "execution_without_lease"  // of a worker of docsvc's
	FsckStray            FsckKind = "execution_stray"          // not in rq:wip, and kept for ever
	FsckLease            FsckKind = "lease_without_execution"  //
	FsckDeadWorker       FsckKind = "dead_worker"              // listed, without a hash
	FsckUnlisted         FsckKind = "worker_unlisted"          // has a hash, isn't listed
	FsckForever          FsckKind = "worker_without_ttl"       // its hash or slot never expires
	FsckDependents       FsckKind = "dependents_without_job"   // sets of a job that is gone
	FsckResults          FsckKind = "results_without_job"      // kept for ever
	FsckGroup            FsckKind = "group_gone"               // in rq:groups, without a set
	FsckGroupMember      FsckKind = "group_member_gone"        // in a group, without a hash
	FsckType             FsckKind = "wrong_type"               //
	FsckScore            FsckKind = "score_out_of_range"       //
	FsckQueueUnlisted    FsckKind = "queue_unlisted"           // has jobs, isn't in rq:queues
	FsckEviction         FsckKind = "eviction_policy"          // Redis may drop keys
)

// FsckOptions of Fsck.
type FsckOptions struct {
	// Age is how long a finding must stand unchanged. Default 5 s. What may be
	// a job that a worker of Python's has just taken from its queue is only
	// repaired with 60 s or more, or when no such worker is alive.
	Age time.Duration
	// Fix repairs what can be, after writing to Undo how to undo it.
	Fix bool
	// Limit is how many findings are kept. Default 10000.
	Limit int
	// NoOwnRuns says that no producer runs jobs itself, as RQ's is_async=False
	// does: a job that says queued and stands in no queue is then lost. Without
	// it that is believed of jobs that may simply run again, and of others a
	// day after they were enqueued.
	NoOwnRuns bool
	// Progress, when given, is called now and then.
	Progress func(FsckReport)
	// Queues restricts the look to these. Default all.
	Queues []string
	// Rate is about how many commands a second are sent. Default 10000.
	Rate int
	// Undo gets JSON lines; needed with Fix. Each is written, and Sync called
	// where there is one, before what it undoes is done.
	Undo io.Writer
}

// FsckState is what became of a finding.
type FsckState string

// The states of a finding.
const (
	FsckFound FsckState = "found" // Fix would repair it, unless Left says why not
	FsckFixed FsckState = "fixed"
	FsckLeft  FsckState = "left"    // not to be repaired by Fsck: see Left
	FsckOther FsckState = "changed" // it was no longer so when it was to be repaired
)

// FsckFinding is something that does not agree.
type FsckFinding struct {
	Kind    FsckKind  `json:"kind"`
	Key     string    `json:"key"`
	JobID   string    `json:"job_id,omitempty"`
	Problem string    `json:"problem"`
	Fix     string    `json:"fix,omitempty"`  // what is done about it
	Left    string    `json:"left,omitempty"` // or why nothing is
	State   FsckState `json:"state"`
}

// FsckReport is what Fsck saw and did.
type FsckReport struct {
	Findings  []FsckFinding `json:"findings"`
	Truncated bool          `json:"truncated"` // there are more than Limit
	Jobs      int64         `json:"jobs"`      // hashes looked at
	Entries   int64         `json:"entries"`   // of lists, registries and sets looked at
	Suspected int           `json:"-"`         // seen once so far
	Fixed     int           `json:"fixed"`
	Remaining int           `json:"remaining"` // found and not fixed
	Seconds   float64       `json:"seconds"`
}

// pythonWindow is how long a job taken by a worker of Python's may be nowhere
// (rq/intermediate_queue.py waits as long).
const pythonWindow = 60 * time.Second

// cleaned is how long RQ's registries may hold what has expired: a worker
// cleans every 600 s, under a lock of 899 s.
const cleaned = 30 * time.Minute

// fsckFinding is a FsckFinding with what is needed to see and repair it again.
type fsckFinding struct {
	FsckFinding
	unit   unit
	state  string // all that it rests on; must be the same when seen again
	repair *repair
}

func (f *fsckFinding) id() string {
	return string(f.Kind) + "\x00" + f.Key + "\x00" + f.JobID + "\x00" + f.unit.member
}

// fsck is one run.
type fsck struct {
	c      *Client
	o      FsckOptions
	pace   pacer
	report FsckReport

	now      time.Time // the server's, at the beginning of the look
	python   bool      // a worker of Python's is alive
	held     *sieve    // what stands in lists and rq:wip, see holdEntry
	listed   map[string]bool
	queues   map[string]bool // names seen anywhere
	lists    map[string]string
	wips     map[string]bool
	ours     map[string]bool // jobs that their producers don't run themselves, see SeekStrays
	later    []unit          // executions to look at once rq:wip is known
	progress time.Time
	repairs  int // planned so far: their numbers in the undo file
	err      error
	found    map[string]*fsckFinding
	order    []string
}

// Fsck looks at everything, waits Age, looks at what it found again and, with
// Fix, repairs it. Findings that remain are in the report. An error is one of
// Redis or of writing the undo file; the report says what was done until then.
func (c *Client) Fsck(ctx context.Context, o FsckOptions) (FsckReport, error) {
	o.Age = cmp.Or(o.Age, 5*time.Second)
	o.Rate = cmp.Or(max(o.Rate, 0), 10000)
	o.Limit = cmp.Or(max(o.Limit, 0), 10000)
	if o.Fix && o.Undo == nil {
		return FsckReport{}, errors.New("repairing the queue: nowhere to write how to undo it")
	}
	began := time.Now()
	f := &fsck{c: c, o: o, pace: pacer{rate: o.Rate}}
	err := f.run(ctx)
	f.report.Seconds = time.Since(began).Seconds()
	if err != nil {
		err = fmt.Errorf("checking the queue: %w", err)
	}
	return f.report, err
}

// fsckRounds is how often Fsck looks at most while it repairs: a repair may
// show what was hidden behind it.
const fsckRounds = 10

func (f *fsck) run(ctx context.Context) error {
	f.report.Findings = []FsckFinding{}
	at := map[string]int{}
	for rounds, idle := 0, 0; rounds < fsckRounds && idle < 2; rounds++ {
		fixed, changed, err := f.round(ctx, at)
		if err != nil || fixed+changed == 0 {
			break
		}
		if idle++; fixed > 0 {
			idle = 0
		}
	}
	for _, x := range f.report.Findings {
		switch x.State {
		case FsckFixed:
			f.report.Fixed++
		case FsckFound, FsckLeft:
			f.report.Remaining++
		}
	}
	return f.err
}

// round looks at everything once, twice at what it found, and repairs. at says
// where findings stand in the report: one that is found again replaces what
// the round before said of it.
func (f *fsck) round(ctx context.Context, at map[string]int) (fixed, changed int, err error) {
	defer func() { f.err = err }()
	f.report.Jobs, f.report.Entries, f.report.Truncated = 0, 0, false
	if err := f.look(ctx); err != nil {
		return 0, 0, err
	}
	findings, err := f.again(ctx)
	if err != nil {
		return 0, 0, err
	}
	if f.o.Fix {
		err = f.fix(ctx, findings)
	}
	for _, x := range findings {
		switch {
		case x.State == "" && x.repair == nil:
			x.State = FsckLeft
		case x.State == "":
			x.State = FsckFound
		case x.State == FsckFixed:
			fixed++
		case x.State == FsckOther:
			changed++
		}
		if i, ok := at[x.id()]; ok {
			if x.State == FsckOther && f.report.Findings[i].State == FsckOther {
				x.State, x.Left = FsckLeft, "something that the repair needs is in its way: another finding, or a key of another type"
			}
			f.report.Findings[i] = x.FsckFinding
			continue
		}
		at[x.id()] = len(f.report.Findings)
		f.report.Findings = append(f.report.Findings, x.FsckFinding)
	}
	return fixed, changed, err
}

// begin starts a look.
func (f *fsck) begin(ctx context.Context) error {
	now, err := f.c.serverTime(ctx)
	if err != nil {
		return err
	}
	f.now = now
	workers, err := f.c.Workers(ctx)
	if passType(err) != nil {
		return err
	}
	f.python = slices.ContainsFunc(workers, func(w WorkerInfo) bool { return !w.Docsvc })
	f.found, f.order = map[string]*fsckFinding{}, nil
	return nil
}

// add notes a finding.
func (f *fsck) add(x *fsckFinding) {
	if x.JobID != "" {
		x.JobID = strings.ToValidUTF8(x.JobID, "\uFFFD")
	}
	x.Key = strings.ToValidUTF8(x.Key, "\uFFFD")
	id := x.id()
	if f.found[id] != nil {
		return
	}
	if len(f.order) >= f.o.Limit {
		f.report.Truncated = true
		return
	}
	f.found[id] = x
	f.order = append(f.order, id)
	f.report.Suspected = len(f.order)
}

// wants reports whether a queue is to be looked at.
func (f *fsck) wants(queue string) bool {
	return len(f.o.Queues) == 0 || slices.Contains(f.o.Queues, queue)
}

// whole reports whether the look is at all queues.
func (f *fsck) whole() bool { return len(f.o.Queues) == 0 }

func (f *fsck) tell() {
	if f.o.Progress != nil && time.Since(f.progress) > time.Second {
		f.progress = time.Now()
		f.o.Progress(f.report)
	}
}
