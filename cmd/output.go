package cmd

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"
)

// output is the -o flag of a command that prints data.
type output struct{ format string }

func (o *output) add(c *cobra.Command) {
	c.Flags().StringVarP(&o.format, "output", "o", "table", "table, json or yaml")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
}

// check refuses an unknown -o before anything is done.
func (o *output) check() error { return o.print(io.Discard, nil, func(io.Writer) error { return nil }) }

// print writes data as asked for; table writes the form for people.
func (o *output) print(w io.Writer, data any, table func(io.Writer) error) error {
	switch o.format {
	case "table":
		return table(w)
	case "json":
		return writeJSON(w, data)
	case "yaml":
		// Through JSON, so that both show the same names in the same order.
		var b bytes.Buffer
		if err := writeJSON(&b, data); err != nil {
			return err
		}
		var node yaml.Node
		if err := yaml.Unmarshal(b.Bytes(), &node); err != nil {
			return fmt.Errorf("writing yaml: %w", err)
		}
		blockStyle(&node)
		e := yaml.NewEncoder(w)
		e.SetIndent(2)
		if err := e.Encode(&node); err != nil {
			return fmt.Errorf("writing yaml: %w", err)
		}
		return e.Close()
	default:
		return &usageError{message: fmt.Sprintf("-o %s is not one of table, json, yaml", o.format)}
	}
}

func writeJSON(w io.Writer, data any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(data)
}

// blockStyle undoes the flow style that JSON input gives its nodes.
func blockStyle(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle | yaml.DoubleQuotedStyle
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// table writes rows in columns; the last column is never padded. Control
// characters in a cell are shown as spaces, so that no job's text can play
// with the terminal.
func table(w io.Writer, head []string, rows [][]string) error {
	width := make([]int, len(head))
	all := append([][]string{head}, rows...)
	for r, row := range all {
		for i, cell := range row {
			all[r][i] = printable(cell)
			width[i] = max(width[i], runewidth.StringWidth(all[r][i]))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", width[i]-runewidth.StringWidth(cell)+2))
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}

// age writes a duration in its largest unit: 45s, 12m, 3h, 5d.
func age(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// when writes a time as RFC 3339 in UTC, "-" for none.
func when(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// breakdown lists counts by kind, the most frequent first.
func breakdown(by map[string]int) string {
	kinds := slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		return cmp.Or(by[b]-by[a], strings.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", by[kind], printable(kind))
	}
	return strings.Join(kinds, ", ")
}
