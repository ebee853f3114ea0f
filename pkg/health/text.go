package health

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the report for people.
func (r Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "status: %s\n", r.Status)
	for _, reason := range r.Reasons {
		fmt.Fprintf(&b, "  - %s\n", reason)
	}
	b.WriteByte('\n')
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "redis\t%s\t%s\n", answer(r.Redis.Available, r.Redis.LatencyMS), strings.TrimPrefix(strings.TrimSuffix(r.Redis.Version+", "+r.Redis.Durability, ", "), ", "))
	fmt.Fprintf(t, "storage\t%s\tbucket %s\n", answer(r.Storage.Available, r.Storage.LatencyMS), r.Storage.Bucket)
	_ = t.Flush() // into a strings.Builder, which takes everything
	r.writeLedger(&b)
	if len(r.Queues) > 0 {
		b.WriteString("\n")
		fmt.Fprintln(t, "QUEUE\tWAITING\tRUNNING\tSCHEDULED\tFAILED\tWORKERS\tOLDEST")
		for _, name := range slices.Sorted(maps.Keys(r.Queues)) {
			q := r.Queues[name]
			if !q.Available {
				fmt.Fprintf(t, "%s\tunknown\n", name)
				continue
			}
			oldest := "-"
			if q.Length > 0 {
				oldest = time.Duration(q.OldestAgeSeconds * float64(time.Second)).Round(time.Second).String()
			}
			fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\n", name, q.Length, q.Started, q.Scheduled, q.Failed, q.Workers, oldest)
		}
		_ = t.Flush()
	}
	if len(r.Workers) > 0 {
		b.WriteString("\n")
		fmt.Fprintln(t, "WORKER\tSTATE\tQUEUES\tHOST\tPID\tMEMORY\tCPU\tJOB")
		for _, k := range r.Workers {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", k.Name, k.State, strings.Join(k.Queues, ","), k.Hostname, k.PID,
				memory(k.RSS), cores(k), cmp.Or(k.CurrentJob, "-"))
		}
		_ = t.Flush()
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeLedger writes the loss ledger as the sum that it is.
func (r Report) writeLedger(b *strings.Builder) {
	l := r.Ledger
	if l == nil {
		return
	}
	fmt.Fprintf(b, "\nledger   %d accepted = %d completed + %d duplicate + %d failed + %d canceled + %d live + %d deleted + %d archived",
		l.Accepted, l.Completed, l.Duplicate, l.Failed, l.Canceled, l.Live, l.Deleted, l.Archived)
	switch {
	case !l.Complete:
		b.WriteString("; the documents from before it are being counted\n")
	default:
		fmt.Fprintf(b, "; %d unaccounted for\n", l.Unaccounted)
	}
	fmt.Fprintf(b, "         changes by other tools %d", l.ForeignChanges)
	if c := r.Caught; c != nil {
		fmt.Fprintf(b, ", late finishes refused %d, stray jobs found %d, stale entries dropped %d", c.LateFinishes, c.Strays, c.Dropped)
	}
	b.WriteByte('\n')
}

func answer(available bool, ms float64) string {
	if !available {
		return "not reachable"
	}
	return fmt.Sprintf("ok, %.1f ms", ms)
}

// memory is empty where the worker does not report it: Python's don't.
func memory(bytes int64) string {
	if bytes <= 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}

func cores(w Worker) string {
	if w.RSS <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", w.CPU)
}
