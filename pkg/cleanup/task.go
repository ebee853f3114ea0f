package cleanup

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Func is the function name of cleanup jobs:
// docsvc.cleanup(task_type, older_than_hours=24, dry_run=False).
const Func = "docsvc.cleanup"

// DefaultOlderThan is the age that objects must have unless a task says otherwise.
const DefaultOlderThan = 24 * time.Hour

// Type says what a Task cleans.
type Type string

// The types, with their names in job arguments and the API.
const (
	S3       Type = "s3_cleanup"
	Orphaned Type = "orphaned_files"
	Expired  Type = "expired_uploads"
	Daily    Type = "daily" // Expired, S3, Orphaned, in this order
)

// Types returns all types.
func Types() []Type { return []Type{S3, Orphaned, Expired, Daily} }

// Task is one cleanup.
type Task struct {
	Type Type
	// OlderThan is the age below which an object is left alone; it does not
	// matter to Expired. Negative is refused.
	OlderThan time.Duration
	// DryRun changes nothing and reports what would be done.
	DryRun bool
	// IncludeDocuments lets Orphaned delete complete documents that have no
	// record, too. Without it they are only reported: they can be rebuilt.
	IncludeDocuments bool
}

// Validate returns an error that names what is wrong with the task.
func (t Task) Validate() error {
	if !slices.Contains(Types(), t.Type) {
		names := make([]string, 0, len(Types()))
		for _, known := range Types() {
			names = append(names, string(known))
		}
		return fmt.Errorf("task_type %.64q is none of %s", string(t.Type), strings.Join(names, ", "))
	}
	if t.OlderThan < 0 {
		return fmt.Errorf("older_than_hours must not be negative")
	}
	return nil
}

// TaskFromJob reads the arguments of a cleanup job, as docsvc or a Python
// producer wrote them.
func TaskFromJob(j *rq.Job) (Task, error) {
	if j.PayloadErr != nil {
		return Task{}, fmt.Errorf("reading the arguments: %w", j.PayloadErr)
	}
	values := map[string]any{}
	names := []string{"task_type", "older_than_hours", "dry_run", "include_documents"}
	if len(j.Args) > len(names) {
		return Task{}, fmt.Errorf("%s takes at most %d arguments, got %d", Func, len(names), len(j.Args))
	}
	for i, v := range j.Args {
		values[names[i]] = v
	}
	for name, v := range j.Kwargs {
		if !slices.Contains(names, name) {
			return Task{}, fmt.Errorf("%s has no argument %.64q; it has %s", Func, name, strings.Join(names, ", "))
		}
		if _, twice := values[name]; twice {
			return Task{}, fmt.Errorf("argument %s given twice", name)
		}
		values[name] = v
	}
	return taskOf(values)
}

func taskOf(values map[string]any) (Task, error) {
	t := Task{OlderThan: DefaultOlderThan}
	text, ok := values["task_type"].(string)
	if !ok {
		return Task{}, fmt.Errorf("task_type must be a text")
	}
	t.Type = Type(text)
	if v, given := values["older_than_hours"]; given && v != nil {
		hours, err := number(v)
		if err != nil {
			return Task{}, fmt.Errorf("older_than_hours %w", err)
		}
		t.OlderThan = time.Duration(hours * float64(time.Hour))
	}
	for name, into := range map[string]*bool{"dry_run": &t.DryRun, "include_documents": &t.IncludeDocuments} {
		if v, given := values[name]; given && v != nil {
			if *into, ok = v.(bool); !ok {
				return Task{}, fmt.Errorf("%s must be true or false", name)
			}
		}
	}
	return t, t.Validate()
}

// maxHours keeps a duration far from overflowing: about 100 years.
const maxHours = 876_000

func number(v any) (float64, error) {
	var f float64
	switch n := v.(type) {
	case int64:
		f = float64(n)
	case int:
		f = float64(n)
	case float64:
		f = n
	default:
		return 0, fmt.Errorf("must be a number")
	}
	if math.IsNaN(f) || f < 0 || f > maxHours {
		return 0, fmt.Errorf("must be between 0 and %d", maxHours)
	}
	return f, nil
}

// args are the task's job arguments, of types that any RQ tool can show.
func (t Task) args() ([]any, map[string]any) {
	kwargs := map[string]any{"older_than_hours": hours(t.OlderThan), "dry_run": t.DryRun}
	if t.IncludeDocuments {
		kwargs["include_documents"] = true
	}
	return []any{string(t.Type)}, kwargs
}

// hours is a whole number where it can be.
func hours(d time.Duration) any {
	if d%time.Hour == 0 {
		return int64(d / time.Hour)
	}
	return d.Hours()
}
