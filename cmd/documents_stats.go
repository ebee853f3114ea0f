package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/ingest"
)

func (a *app) documentsStatsCommand() *cobra.Command {
	return a.figuresCommand("stats", "Count documents by status and format, with times and rates",
		(*client.Client).Stats, printStats)
}

func (a *app) documentsUsageCommand() *cobra.Command {
	return a.figuresCommand("usage", "Show how much room documents take",
		(*client.Client).Usage, printUsage)
}

// figuresCommand prints one answer of the API: with -o in its own words.
func (a *app) figuresCommand(use, short string, ask func(*client.Client, context.Context) (json.RawMessage, error),
	table func(io.Writer, json.RawMessage) error,
) *cobra.Command {
	var f apiFlags
	var out output
	c := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: a.withAPI(&f, func(ctx context.Context, api *client.Client, _ []string) error {
			raw, err := ask(api, ctx)
			if err != nil {
				return err
			}
			return out.print(a.stdout, raw, func(w io.Writer) error { return table(w, raw) })
		}),
	}
	f.add(c)
	out.add(c)
	return c
}

func printStats(w io.Writer, raw json.RawMessage) error {
	var s document.Stats
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	rows := [][]string{{"documents", count(s.Documents)}}
	for _, state := range document.States() {
		rows = append(rows, []string{"  " + string(state), count(s.ByStatus[state])})
	}
	for _, format := range slices.Sorted(maps.Keys(s.ByFormat)) {
		rows = append(rows, []string{"format " + format, count(s.ByFormat[format])})
	}
	rows = append(rows, []string{"created in the last hour", count(s.CreatedLastHour)}, []string{"created in the last day", count(s.CreatedLastDay)})
	if n := s.Finished.Jobs; n > 0 {
		of := fmt.Sprintf(" (last %d)", n)
		for _, f := range []struct {
			name, unit string
			value      *float64
		}{
			{"finished per minute", "", s.Finished.PerMinute}, {"half took at most", " s", s.Finished.P50Seconds},
			{"95 % took at most", " s", s.Finished.P95Seconds}, {"longest", " s", s.Finished.MaxSeconds},
		} {
			if f.value != nil {
				rows = append(rows, []string{f.name + of, fmt.Sprintf("%.1f%s", *f.value, f.unit)})
			}
		}
	}
	return table(w, []string{"WHAT", "COUNT"}, rows)
}

func printUsage(w io.Writer, raw json.RawMessage) error {
	var u document.Usage
	if err := json.Unmarshal(raw, &u); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	rows := [][]string{
		{"stored for documents", "-", ingest.Bytes(u.StoredBytes)}, {"  of it text", "-", ingest.Bytes(u.TextBytes)},
	}
	for _, m := range []struct {
		name    string
		objects document.Objects
	}{{"uploads", u.Uploads}, {"artifacts", u.Artifacts}, {"originals", u.Originals}, {"other", u.Other}} {
		if u.MeasuredAt != nil {
			rows = append(rows, []string{m.name, count(m.objects.Objects), ingest.Bytes(m.objects.Bytes)})
		}
	}
	if err := table(w, []string{"WHAT", "OBJECTS", "SIZE"}, rows); err != nil {
		return err
	}
	measured := "the bucket was measured at " + when(u.MeasuredAt)
	if u.MeasuredAt == nil {
		measured = "the bucket was not measured yet: docsvc cleanup orphaned does it"
	}
	_, err := fmt.Fprintf(w, "\n%d page%s, %d word%s, %d chunk%s; %s\n",
		u.Pages, plural(int(u.Pages)), u.Words, plural(int(u.Words)), u.Chunks, plural(int(u.Chunks)), measured)
	return err
}
