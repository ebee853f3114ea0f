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
	fmt.Fprintf(t, "redis\t%s\t%s\n", answer(r.Redis.Available, r.Redis.LatencyMS), r.Redis.Version)
	fmt.Fprintf(t, "storage\t%s\tbucket %s\n", answer(r.Storage.Available, r.Storage.LatencyMS), r.Storage.Bucket)
	_ = t.Flush() // into a strings.Builder, which takes everything
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
