package cleanup

// Report is what a cleanup did, or in a dry run would have done. As a job's
// result it is a dict with the names of the JSON form.
type Report struct {
	TaskType Type `json:"task_type"`
	DryRun   bool `json:"dry_run"`
	// Seen counts the objects and uploads looked at; each is then deleted,
	// kept or failed.
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
	Rebuildable      []string `json:"rebuildable,omitempty"`
	RebuildableCount int64    `json:"rebuildable_count"`
	Missing          []string `json:"missing,omitempty"`
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
