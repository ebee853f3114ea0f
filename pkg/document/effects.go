package document

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/rq"
)

// ProcessFunc is the function name of processing jobs:
// docsvc.process_document(document_id).
const ProcessFunc = "docsvc.process_document"

// maxErrorText bounds the error kept in a record, in bytes. The whole text is
// in the job's result.
const maxErrorText = 2000

// timingsKept is about how many finished jobs estimates go by.
const timingsKept = 200

// IDFromJob returns the document that a docsvc.process_document job is for, or
// that a docsvc.process_object job makes. Where the payload was not loaded, the
// description is read, which names the call; what is done with the id is
// guarded by the record's own job id.
func IDFromJob(j *rq.Job) (string, bool) {
	if j == nil {
		return "", false
	}
	if j.Func == ObjectFunc {
		_, err := ObjectArguments(j)
		return ObjectDocumentID(j), err == nil
	}
	if j.Func == "" && j.PayloadErr == nil {
		if strings.HasPrefix(j.Description, ObjectFunc+"(") {
			return ObjectDocumentID(j), true
		}
		id, ok := strings.CutPrefix(j.Description, ProcessFunc+"(")
		id, closed := strings.CutSuffix(strings.TrimPrefix(id, "document_id="), "')")
		id, quoted := strings.CutPrefix(id, "'")
		return id, ok && closed && quoted && validID(id)
	}
	if j.Func != ProcessFunc || len(j.Args)+len(j.Kwargs) != 1 {
		return "", false
	}
	var arg any
	if len(j.Args) == 1 {
		arg = j.Args[0]
	} else {
		arg = j.Kwargs["document_id"]
	}
	id, ok := arg.(string)
	return id, ok && validID(id)
}

// Effects gives the document side of every transition of a processing job:
// record, indexes and password change in the same script as the job. Each
// write is guarded by the record's job id, so that a deleted record stays
// deleted and a document is only changed by the job that is its own.
//
// That a job finished says nothing about the document here: completed and
// duplicate come from Complete and Duplicate, which say what was found.
func Effects(namespace string) rq.EffectsFunc {
	k := keys{cmp.Or(namespace, "docsvc:")}
	return func(t rq.Transition) rq.Extra {
		id, ok := IDFromJob(t.Job)
		if !ok {
			return rq.Extra{}
		}
		extra := rq.Extra{Labels: map[string]string{"document": id}}
		e := effects{k: k, id: id, jobID: t.Job.ID, at: t.At}
		switch t.To {
		case rq.StatusCreated, rq.StatusQueued, rq.StatusScheduled, rq.StatusDeferred:
			e.waiting(t)
		case rq.StatusFinished:
			e.finished(t)
		case rq.StatusFailed:
			e.failed(t)
		case rq.StatusStopped, rq.StatusCanceled:
			e.canceled(t)
		}
		extra.Effects = e.list
		return extra
	}
}

// effects collects guarded writes to one document.
type effects struct {
	k     keys
	id    string
	jobID string
	at    time.Time
	list  []rq.Effect
	// made: the script makes the record, so nothing can be guarded by it.
	made bool
}

// add appends a write that is only made while the record is this job's.
func (e *effects) add(effect rq.Effect) {
	if e.made {
		e.list = append(e.list, effect)
		return
	}
	e.list = append(e.list, effect.When(rq.Guard{Key: e.k.document(e.id), Field: "job_id", Is: e.jobID}))
}

// set writes fields of the record.
func (e *effects) set(fields ...string) {
	e.add(rq.HSet(e.k.document(e.id), append(fields, "updated_at", stamp(e.at))...))
}

// unsavedIfChanged does so when one of the fields is no longer as it was read.
func (e *effects) unsavedIfChanged(d *Document, fields ...string) {
	for _, field := range fields {
		changed := rq.Guard{Key: e.k.document(e.id), Field: field, Is: d.hash[field], Not: true}
		e.list = append(e.list, rq.ZAdd(e.k.unsaved(), float64(e.at.UnixMilli()), e.id).When(changed))
	}
}

// become moves the document to a state, in record and indexes. Of a completed
// one the bucket has the record; see Complete.
func (e *effects) become(s State, fields ...string) {
	e.set(append(fields, "status", string(s))...)
	for _, other := range States() {
		if other != s {
			e.add(rq.ZRem(e.k.byState(other), e.id))
		}
	}
	e.add(rq.ZAdd(e.k.byState(s), score(e.id, e.at), e.id))
	if s.Final() && s != Completed {
		e.unsaved()
	}
}

// unsaved notes that the bucket does not have the record as it is. It may be
// noted of any document at any time: Keep looks what is to be done.
func (e *effects) unsaved() {
	e.add(rq.ZAdd(e.k.unsaved(), float64(e.at.UnixMilli()), e.id))
}

// waiting: the job is queued or scheduled, for the first time or again.
func (e *effects) waiting(t rq.Transition) {
	fields := []string{"progress", "0", "page", "", "chunks_processed", "0", "total_chunks", "0",
		"next_attempt_at", stamp(t.NextAttempt)}
	switch t.Reason {
	case rq.ReasonRetry, rq.ReasonRetryFree, rq.ReasonAbandoned:
		text, code := failure(t)
		fields = append(fields, "error", text, "error_code", code, "current_step", "waiting to be tried again")
	case rq.ReasonDrained:
		fields = append(fields, "current_step", "waiting: its worker was shut down, another one will take it")
	case rq.ReasonRecovered:
		fields = append(fields, "current_step", "waiting: its worker died, another one will take it")
	default:
		fields = append(fields, "error", "", "error_code", "", "current_step", "waiting in the queue",
			"queued_at", stamp(t.At), "started_at", "", "finished_at", "", "processing_ms", "", "lost", "")
	}
	e.become(Uploaded, fields...)
	if t.Reason == rq.ReasonRequeued {
		record := e.k.document(e.id)
		e.list = append(e.list, rq.HSet(record, "repin", "1").When(rq.Guard{Key: record, Field: "source_key", Not: true}))
	}
	e.add(rq.ZRem(e.k.openUploads(), e.id))
	e.add(rq.ZRem(e.k.expiredUploads(), e.id))
}

// finished leaves the record alone: Complete and Duplicate write what it says
// then, and a job that is run once more for nothing must not change it.
func (e *effects) finished(t rq.Transition) {
	e.add(rq.Del(e.k.password(e.id)))
	e.add(rq.XAdd(e.k.timings(), timingsKept, "ms", strconv.FormatInt(t.Duration.Milliseconds(), 10)))
}

func (e *effects) failed(t rq.Transition) {
	text, code := failure(t)
	e.become(Failed, "error", text, "error_code", code, "current_step", "", "next_attempt_at", "",
		"finished_at", stamp(t.At), "processing_ms", strconv.FormatInt(t.Duration.Milliseconds(), 10))
	e.add(rq.Del(e.k.password(e.id)))
}

func (e *effects) canceled(t rq.Transition) {
	e.become(Canceled, "error", "", "error_code", "", "current_step", "", "next_attempt_at", "",
		"finished_at", stamp(t.At), "processing_ms", strconv.FormatInt(t.Duration.Milliseconds(), 10))
	e.add(rq.Del(e.k.password(e.id)))
}

// failure is what the record says of an attempt that failed.
func failure(t rq.Transition) (text, code string) {
	code = t.ErrorCode
	if code == "" {
		switch t.Reason {
		case rq.ReasonLimit, rq.ReasonAbandoned:
			code = CodeWorkerDied
		default:
			code = CodeFailed
		}
	}
	text = strings.TrimSpace(t.Error)
	if text == "" {
		text = "The job failed and said nothing about why."
	}
	return shorten(text, maxErrorText), code
}

// shorten cuts text to at most limit bytes of valid UTF-8.
func shorten(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	text = text[:limit-len("...")]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "..."
}

// score is a document's place in the indexes: the milliseconds of its
// creation, which a version 7 UUID holds. So every writer gives the same
// score without reading the record.
func score(id string, fallback time.Time) float64 {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return float64(fallback.UnixMilli())
	}
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return float64(ms)
}

// newID returns a version 7 UUID made at that time.
func newID(at time.Time) (string, error) {
	u, err := uuid.NewRandom()
	if err != nil {
		return "", err
	}
	return version7(u, at), nil
}
