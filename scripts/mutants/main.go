// Command mutants shows that every guard of the Lua scripts is tested. It
// changes one thing in a script (see mutate), runs the tests that are nearest
// to it, then all of the package, until one fails, and says which. A mutant
// that no test finds is a hole in the tests, something that can be deleted, or
// equivalent: then equivalent.txt says why. Any other makes it fail.
//
// The tests are built once and read the scripts from a directory that the
// mutant is in; the tree is not touched.
package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
)

//go:embed equivalent.txt
var equivalentText string

// packages that embed scripts, below lua.
var packages = []string{"pkg/rq", "pkg/document"}

type options struct {
	root, script, grep, state, page string
	workers                         int
	fresh, list, quick              bool
}

func main() {
	var o options
	flag.StringVar(&o.root, "root", ".", "the tree")
	flag.StringVar(&o.script, "script", "", "only scripts whose name contains one of these, in this order, e.g. claim.lua,finish.lua")
	flag.StringVar(&o.grep, "grep", "", "only mutants whose name contains this")
	flag.StringVar(&o.state, "state", ".cache/mutants.json", "what earlier runs found, which is not tried again while the script is the same")
	flag.StringVar(&o.page, "page", "", "write the table of all that was found of the scripts as they are to this Markdown file")
	flag.IntVar(&o.workers, "j", runtime.NumCPU(), "how many mutants at a time")
	flag.BoolVar(&o.fresh, "fresh", false, "try all again")
	flag.BoolVar(&o.quick, "quick", false, "only the tests that are nearest to the script, on the in-process engine and a redis-server")
	flag.BoolVar(&o.list, "list", false, "only list the mutants")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	known, err := readEquivalent(equivalentText)
	if err != nil {
		return err
	}
	all, err := mutants(root)
	if err != nil {
		return err
	}
	if err := unused(known, all); err != nil {
		return err
	}
	chosen := choose(all, strings.Split(o.script, ","), o.grep)
	if o.list {
		for _, m := range chosen {
			fmt.Printf("%4d %-10s %s\n", m.Line, m.Kind, m.id())
		}
		fmt.Println(len(chosen), "mutants")
		return nil
	}
	before, err := readState(o.state, o.fresh)
	if err != nil {
		return err
	}
	r := &report{known: known, state: before, quick: o.quick}
	for _, pkg := range packages {
		mine := slices.DeleteFunc(slices.Clone(chosen), func(m mutant) bool { return !strings.HasPrefix(m.Script, pkg+"/") })
		if err := tryPackage(ctx, root, pkg, mine, o, r); err != nil {
			return errors.Join(err, r.state.save())
		}
	}
	if err := r.state.save(); err != nil {
		return err
	}
	fmt.Print("\n", r.table())
	if o.page != "" {
		if err := os.WriteFile(o.page, []byte(r.markdown(all)), 0o644); err != nil {
			return err
		}
	}
	return r.verdict()
}

// choose answers the mutants of scripts whose name contains one of the words,
// in the order of these.
func choose(all []mutant, words []string, grep string) (list []mutant) {
	taken := map[string]bool{}
	for _, word := range words {
		for _, m := range all {
			if strings.Contains(m.Script, word) && strings.Contains(m.id(), grep) && !taken[m.id()] {
				taken[m.id()] = true
				list = append(list, m)
			}
		}
	}
	return list
}

// mutants makes those of all scripts, in order of package, script and line.
func mutants(root string) ([]mutant, error) {
	var all []mutant
	for _, pkg := range packages {
		files, err := filepath.Glob(filepath.Join(root, pkg, "lua", "*.lua"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			list, err := mutate(pkg+"/lua/"+filepath.Base(file), string(src))
			if err != nil {
				return nil, err
			}
			slices.SortStableFunc(list, func(a, b mutant) int { return cmp.Compare(a.Line, b.Line) })
			all = append(all, list...)
		}
	}
	return all, nil
}

// unused fails when equivalent.txt names a mutant that there isn't.
func unused(known map[string]string, all []mutant) error {
	there := map[string]bool{}
	for _, m := range all {
		there[m.id()] = true
	}
	var missing []string
	for id := range known {
		if !there[id] {
			missing = append(missing, id)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		return fmt.Errorf("equivalent.txt names mutants that there are not any more; take them out:\n  %s", strings.Join(missing, "\n  "))
	}
	return nil
}

// tryPackage tries the mutants of one package.
func tryPackage(ctx context.Context, root, pkg string, list []mutant, o options, r *report) error {
	waiting := slices.DeleteFunc(slices.Clone(list), func(m mutant) bool { return r.knows(m) })
	if len(waiting) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "docsvc-mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary, err := build(root, pkg, dir)
	if err != nil {
		return err
	}
	few, err := fewPrograms(dir)
	if err != nil {
		return fmt.Errorf("linking programs for the tests: %w", err)
	}
	b := &bench{source: filepath.Join(root, pkg), binary: binary, few: few, quick: o.quick}
	fmt.Printf("%s: %d mutants; first the tests of the scripts as they are\n", pkg, len(waiting))
	if by, err := b.verdict(ctx, dir, b.baseline(waiting)); by != "" || err != nil {
		return errors.Join(err, fmt.Errorf("the tests of %s fail without any mutant: %s", pkg, by))
	}
	return b.tryAll(ctx, dir, waiting, o.workers, r)
}

// tryAll tries mutants, some at a time, each in a directory of its own. The
// first error ends it.
func (b *bench) tryAll(ctx context.Context, dir string, list []mutant, workers int, r *report) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan mutant)
	var wg sync.WaitGroup
	for i := range workers {
		wg.Go(func() {
			own := filepath.Join(dir, fmt.Sprint("worker-", i))
			for m := range next {
				by, err := b.tryOne(ctx, own, m)
				if err != nil {
					cancel(err)
					return
				}
				r.add(m, by)
			}
		})
	}
feed:
	for _, m := range list {
		select {
		case next <- m:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (b *bench) tryOne(ctx context.Context, own string, m mutant) (string, error) {
	if err := os.MkdirAll(own, 0o700); err != nil {
		return "", err
	}
	// The copies that were made with the binary: somebody may be editing the tree.
	if err := copyScripts(filepath.Dir(own), own); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(own, "lua", filepath.Base(m.Script)), []byte(m.text), 0o600); err != nil {
		return "", err
	}
	return b.verdict(ctx, own, b.suites(m.Script))
}
