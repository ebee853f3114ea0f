package cleanup

import (
	"encoding/json"
	"fmt"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// maxListed bounds the ids in a Report.
const maxListed = 100

// Report is what a cleanup did, or in a dry run would have done. As a job's
// result it is a dict with the names of the JSON form.
type Report struct {
	TaskType Type `json:"task_type"`
	DryRun   bool `json:"dry_run"`
	// Seen counts the objects looked at; each is then deleted, kept or failed.
	Seen    int64 `json:"seen"`
	Deleted int64 `json:"deleted"`
	Kept    int64 `json:"kept"`
	Failed  int64 `json:"failed"` // could not be deleted; the next run tries again
	Bytes   int64 `json:"bytes"`  // of what was deleted
	// Expired counts documents that became failed because their URL ran out.
	Expired int64 `json:"expired"`
	// Rebuildable are complete documents in the bucket without a record, and
	// Missing completed records without their objects; at most 100 ids each,
	// beside how many there are.
	Rebuildable      []string `json:"rebuildable"`
	RebuildableCount int64    `json:"rebuildable_count"`
	Missing          []string `json:"missing"`
	MissingCount     int64    `json:"missing_count"`
	Seconds          float64  `json:"seconds"`
	// Tasks are the reports of the parts of a Daily.
	Tasks []Report `json:"tasks,omitempty"`
}

// NeedsAttention reports whether somebody should look: something could not be
// deleted, or bucket and records disagree.
func (r Report) NeedsAttention() bool {
	return r.Failed > 0 || r.RebuildableCount > 0 || r.MissingCount > 0
}

// add sums a part of a Daily up.
func (r *Report) add(part Report) {
	r.Seen += part.Seen
	r.Deleted += part.Deleted
	r.Kept += part.Kept
	r.Failed += part.Failed
	r.Bytes += part.Bytes
	r.Expired += part.Expired
	for _, id := range part.Rebuildable {
		r.Rebuildable = listed(r.Rebuildable, id)
	}
	for _, id := range part.Missing {
		r.Missing = listed(r.Missing, id)
	}
	r.RebuildableCount += part.RebuildableCount
	r.MissingCount += part.MissingCount
	r.Tasks = append(r.Tasks, part)
}

func listed(ids []string, id string) []string {
	if len(ids) >= maxListed {
		return ids
	}
	return append(ids, id)
}

func (r *Report) rebuildable(id string) {
	r.Rebuildable = listed(r.Rebuildable, id)
	r.RebuildableCount++
}

func (r *Report) missing(id string) {
	r.Missing = listed(r.Missing, id)
	r.MissingCount++
}

// dict is the report as a job's result: plain values only.
func (r Report) dict() map[string]any {
	d := map[string]any{
		"task_type": string(r.TaskType), "dry_run": r.DryRun,
		"seen": r.Seen, "deleted": r.Deleted, "kept": r.Kept, "failed": r.Failed, "bytes": r.Bytes, "expired": r.Expired,
		"rebuildable": texts(r.Rebuildable), "rebuildable_count": r.RebuildableCount,
		"missing": texts(r.Missing), "missing_count": r.MissingCount, "seconds": r.Seconds,
	}
	if len(r.Tasks) > 0 {
		tasks := make([]any, 0, len(r.Tasks))
		for _, part := range r.Tasks {
			tasks = append(tasks, part.dict())
		}
		d["tasks"] = tasks
	}
	return d
}

func texts(list []string) []any {
	values := make([]any, 0, len(list))
	for _, text := range list {
		values = append(values, text)
	}
	return values
}

// reportOf reads a job's result.
func reportOf(value any) (Report, error) {
	b, err := json.Marshal(pickle.Plain(value))
	if err != nil {
		return Report{}, fmt.Errorf("reading the report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(b, &r); err != nil {
		return Report{}, fmt.Errorf("reading the report: %w", err)
	}
	return r, nil
}
