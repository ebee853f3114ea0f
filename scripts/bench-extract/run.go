package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
)

// outcome is one file as one reader read it.
type outcome struct {
	file *file
	result
	scores []likeness // beside file.references
}

// row is one line of the table: a format read by one reader.
type row struct {
	format, reader string
	outcomes       []*outcome
	peak           int64
}

func run(ctx context.Context, o options, out io.Writer) error {
	files, err := find(o.dir, o.references)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(f *file) bool { return o.only != "" && f.format != o.only })
	if len(files) == 0 {
		return fmt.Errorf("%w: there are no documents in %s", errUsage, o.dir)
	}
	slices.SortStableFunc(files, func(a, b *file) int { return cmp.Compare(a.format, b.format) })
	temp, err := os.MkdirTemp("", "bench-extract-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }()
	o.cache = cmp.Or(o.cache, filepath.Join(temp, "compiled"))
	if err := os.MkdirAll(o.cache, 0o700); err != nil {
		return err
	}
	var peers []*program
	if o.peers {
		peers = installed(o.timeout, temp)
	}
	defer func() {
		for _, p := range peers {
			p.close()
		}
	}()
	var rows []*row
	for len(files) > 0 {
		n := slices.IndexFunc(files, func(f *file) bool { return f.format != files[0].format })
		if n < 0 {
			n = len(files)
		}
		more, err := readFormat(ctx, o, files[:n], peers)
		if err != nil {
			return err
		}
		rows, files = append(rows, more...), files[n:]
	}
	return print(out, rows, o.worst)
}

// readFormat reads the files of one format with everything that can. docsvc
// gets a process for each format, so that its memory is that format's.
func readFormat(ctx context.Context, o options, files []*file, peers []*program) ([]*row, error) {
	docsvc, err := newOwn(ctx, o.docsvc, o.cache, o.children)
	if err != nil {
		return nil, fmt.Errorf("starting a parser process of %s: %w", o.docsvc, err)
	}
	first, err := readAll(ctx, docsvc, files)
	docsvc.close()
	if err != nil {
		return nil, err
	}
	rows := []*row{first}
	for _, p := range peers {
		if !p.reads(files[0].format) {
			continue
		}
		r, err := readAll(ctx, p, files)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// readAll reads files one after the other.
func readAll(ctx context.Context, by reader, files []*file) (*row, error) {
	r := &row{format: files[0].format, reader: by.name()}
	by.peak()
	for _, f := range files {
		show("%s reads %s", by.name(), f.path)
		res, err := by.read(ctx, f.path)
		if err != nil {
			return nil, fmt.Errorf("reading %s with %s: %w", f.path, by.name(), err)
		}
		r.outcomes = append(r.outcomes, &outcome{file: f, result: res})
	}
	r.peak = by.peak()
	show("")
	for _, o := range r.outcomes { // not between the files: it takes memory and time
		got := words(unmarked(o.text))
		for _, ref := range o.file.references {
			o.scores = append(o.scores, compare(got, ref.words))
		}
		o.text = ""
	}
	return r, nil
}

// show says on a terminal what is being done.
func show(format string, args ...any) {
	if isatty.IsTerminal(os.Stderr.Fd()) {
		fmt.Fprintf(os.Stderr, "\r\033[K"+format, args...)
	}
}

// mean of the scores against ground truth, or against other extractors.
func (r *row) mean(truth bool) (l likeness, n int) {
	for _, o := range r.outcomes {
		for i, ref := range o.file.references {
			if ref.truth == truth {
				l.f1 += o.scores[i].f1
				l.order += o.scores[i].order
				n++
			}
		}
	}
	if n > 0 {
		l.f1, l.order = l.f1/float64(n), l.order/float64(n)
	}
	return l, n
}

// times of the files with text, the shortest first.
func (r *row) times() []time.Duration {
	var all []time.Duration
	for _, o := range r.outcomes {
		if o.reason == "" {
			all = append(all, o.took)
		}
	}
	slices.Sort(all)
	return all
}

// ratios are docsvc's time and F1 by those of another reader, over the files
// that both gave text of; 0 where nothing compares.
func ratios(docsvc, other *row) (took, f1 float64) {
	var ours, theirs time.Duration
	var ourF1, theirF1 float64
	for i, o := range docsvc.outcomes {
		p := other.outcomes[i]
		if o.reason != "" || p.reason != "" {
			continue
		}
		ours += o.took
		theirs += p.took
		for j := range o.scores {
			ourF1 += o.scores[j].f1
			theirF1 += p.scores[j].f1
		}
	}
	if theirs > 0 {
		took = float64(ours) / float64(theirs)
	}
	if theirF1 > 0 {
		f1 = ourF1 / theirF1
	}
	return took, f1
}
