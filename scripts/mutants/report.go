package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// state is what runs found of mutants, by the sha256 of their name and of the
// whole script's text with the change: what was found of a script that has
// changed since counts for nothing.
type state struct {
	at     string
	Killed map[string]string `json:"killed"` // the test
	// Survived: which tests passed with it. Survivors are tried every time.
	Survived map[string]string `json:"survived"`
}

const (
	passedNearest = "nearest"
	passedAll     = "all"
)

func readState(at string, fresh bool) (*state, error) {
	s := &state{at: at, Killed: map[string]string{}, Survived: map[string]string{}}
	b, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) || fresh {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("reading %s: %w; delete it to try all mutants again", at, err)
	}
	return s, nil
}

func (s *state) save() error {
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(s.at, b, 0o644)
}

func (m mutant) hash() string {
	sum := sha256.Sum256([]byte(m.id() + "\n" + m.text))
	return hex.EncodeToString(sum[:16])
}

type result struct {
	mutant
	by         string // the test that killed it, "" when none
	equivalent string // why it is
}

// report collects results and prints each when it is known.
type report struct {
	known map[string]string // equivalent ones
	state *state
	quick bool // survivors passed the nearest tests alone

	mu   sync.Mutex
	list []result
}

// knows reports whether the mutant needs no run, and adds its result then.
func (r *report) knows(m mutant) bool {
	if why := r.known[m.id()]; why != "" {
		r.put(result{m, "", why})
		return true
	}
	if by := r.state.Killed[m.hash()]; by != "" {
		r.put(result{m, by, ""})
		return true
	}
	return false
}

func (r *report) add(m mutant, by string) {
	r.mu.Lock()
	switch {
	case by != "":
		r.state.Killed[m.hash()] = by
		delete(r.state.Survived, m.hash())
	case !r.quick:
		r.state.Survived[m.hash()] = passedAll
	default:
		r.state.Survived[m.hash()] = passedNearest
	}
	r.mu.Unlock()
	r.put(result{m, by, ""})
}

func (r *report) put(x result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, x)
	fmt.Printf("%-10s %s:%d  %s  %s\n", x.Kind, x.Script, x.Line, x.shown(), x.fate())
	if len(r.list)%20 == 0 {
		_ = r.state.save() // a run that is killed goes on from here; the end of a run tells of errors
	}
}

func (m mutant) shown() string {
	if m.Nth > 1 {
		return fmt.Sprintf("%s (#%d)", m.What, m.Nth)
	}
	return m.What
}

func (x result) fate() string {
	switch {
	case x.by != "":
		return "| killed by " + x.by
	case x.equivalent != "":
		return "| equivalent: " + x.equivalent
	}
	return "| SURVIVED"
}

// row counts the mutants of a script.
type row struct {
	script                      string
	all, killed, same, survived int
}

func (r *report) rows() (rows []row, total row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	total.script = "all"
	for _, x := range r.list {
		i := slices.IndexFunc(rows, func(o row) bool { return o.script == x.Script })
		if i < 0 {
			i, rows = len(rows), append(rows, row{script: x.Script})
		}
		for _, o := range []*row{&rows[i], &total} {
			o.all++
			switch {
			case x.by != "":
				o.killed++
			case x.equivalent != "":
				o.same++
			default:
				o.survived++
			}
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.script, b.script) })
	return rows, total
}

func (r *report) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-28s %8s %8s %11s %9s\n", "script", "mutants", "killed", "equivalent", "survived")
	rows, total := r.rows()
	for _, o := range append(rows, total) {
		fmt.Fprintf(&b, "%-28s %8d %8d %11d %9d\n", o.script, o.all, o.killed, o.same, o.survived)
	}
	return b.String()
}

func (r *report) verdict() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var left []string
	for _, x := range r.list {
		if x.by == "" && x.equivalent == "" {
			left = append(left, fmt.Sprintf("line %d: %s", x.Line, x.id()))
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("%d mutants survived; write a test that fails with each, delete what no test can find, or say in equivalent.txt why it changes nothing:\n  %s",
			len(left), strings.Join(left, "\n  "))
	}
	return nil
}
