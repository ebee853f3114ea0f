package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// columns of the table, and how wide each is printed.
var columns = []string{"format", "reader", "files", "text", "truth: F1, order", "reference: F1, order", "p50", "p95", "max", "peak", "time ratio", "F1 ratio", "errors"}

// print writes the table, and below it the files farthest from a reference.
func print(out io.Writer, rows []*row, worst int) error {
	cells := [][]string{columns}
	var docsvc *row
	for _, r := range rows {
		if docsvc == nil || r.format != docsvc.format {
			docsvc = r // it is the first of its format
		}
		cells = append(cells, line(r, docsvc))
	}
	widths := make([]int, len(columns))
	for _, c := range cells {
		for i := range c {
			widths[i] = max(widths[i], len([]rune(c[i])))
		}
	}
	var b strings.Builder
	for n, c := range cells {
		for i := range c {
			fmt.Fprintf(&b, "| %-*s ", widths[i], c[i])
		}
		b.WriteString("|\n")
		if n == 0 {
			for _, w := range widths {
				b.WriteString("|" + strings.Repeat("-", w+2))
			}
			b.WriteString("|\n")
		}
	}
	farthest(&b, rows, worst)
	_, err := io.WriteString(out, b.String())
	return err
}

func line(r, docsvc *row) []string {
	times := r.times()
	c := []string{r.format, r.reader, fmt.Sprint(len(r.outcomes)), fmt.Sprint(len(times)),
		score(r.mean(true)), score(r.mean(false)),
		milliseconds(times, 50), milliseconds(times, 95), milliseconds(times, 100), mebibytes(r.peak), "", "", r.errors()}
	if r != docsvc {
		took, f1 := ratios(docsvc, r)
		c[10], c[11] = ratio(took), ratio(f1)
	}
	return c
}

func score(l likeness, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.3f, %.3f (%d)", l.f1, l.order, n)
}

func ratio(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}

// milliseconds is the time that percent of the files took at most.
func milliseconds(sorted []time.Duration, percent int) string {
	if len(sorted) == 0 {
		return ""
	}
	i := (len(sorted)*percent+99)/100 - 1
	return fmt.Sprintf("%.1f", float64(sorted[max(i, 0)].Microseconds())/1000)
}

func mebibytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint((n + 1<<19) >> 20)
}

// errors counts reasons, the most frequent first.
func (r *row) errors() string {
	counts := map[string]int{}
	for _, o := range r.outcomes {
		if o.reason != "" {
			counts[o.reason]++
		}
	}
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", counts[reason], reason)
	}
	return strings.Join(reasons, ", ")
}

// farthest names the files of each format with docsvc's worst scores.
func farthest(b *strings.Builder, rows []*row, worst int) {
	type entry struct {
		path string
		kind string
		likeness
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if worst == 0 || seen[r.format] {
			continue
		}
		seen[r.format] = true
		var all []entry
		for _, o := range r.outcomes {
			for i, ref := range o.file.references {
				kind := "reference"
				if ref.truth {
					kind = "truth"
				}
				all = append(all, entry{o.file.path, kind, o.scores[i]})
			}
		}
		slices.SortStableFunc(all, func(x, y entry) int { return cmp.Compare(x.f1, y.f1) })
		for _, e := range all[:min(worst, len(all))] {
			fmt.Fprintf(b, "\n%s: F1 %.3f, order %.3f against %s: %s", r.format, e.f1, e.order, e.kind, e.path)
		}
		b.WriteString("\n")
	}
}
