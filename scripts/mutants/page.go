package main

import (
	"fmt"
	"strings"
)

const pageTitle = "# Mutants: is every guard of the scripts tested?\n\n"

const pageHead = "`make mutants`" + ` changes one thing at a time in a Lua script of the queue or of documents, runs the tests, and wants one to fail. The whole run
takes an hour or two on two cores; ` + "`make mutants SCRIPT=claim.lua,finish.lua`" + ` tries some scripts, and what was killed before is not tried again while
its script is the same (` + "`FRESH=1`" + ` does). It needs a redis-server for what the in-process engine can't show. What it changes:

| kind | change |
|---|---|
| condition | an ` + "`if`, `elseif` or `while`" + ` as a whole is always true, and never |
| part | a part of an ` + "`and`" + ` in a condition always holds, one of an ` + "`or`" + ` never; a comparison that is a value is always true, and never |
| bound | ` + "`<` is `<=`, `>` is `>=`" + `, and the other way round |
| write | a call that is a statement is left out, as is every write to Redis anywhere |
| option | ` + "`NX` or `XX`" + ` is left out of a command |
| clamp | ` + "`math.min` and `math.max`" + ` answer their first value, and their second |

Mutants that no test can find, because nothing that anybody sees would be different, are listed in
[` + "`scripts/mutants/equivalent.txt`" + `](../scripts/mutants/equivalent.txt), each with its reason; one that is not there any more fails the run and a test.

That the model of documents goes red was tried with mutants of Go code, too: [its comment](../pkg/document/model_test.go) names them.

A row tells only of the script's present text: once a byte of it changes, all its mutants are "not tried" until they have been.

| column | what it counts |
|---|---|
| killed | a test failed with it, and failed again when it ran alone |
| equivalent | those with a reason in the list; not tried |
| survived all | every test of the package passed with it, on the in-process engine and a redis-server, but those that only add load |
| survived nearest | the tests that are nearest to the script passed, on the in-process engine and a redis-server (` + "`ARGS=-quick`" + `); the others were not run |
| not tried | no run has had it since the script changed |

`

// markdown is the page about all mutants: what runs have found of the scripts
// as they are.
func (r *report) markdown(all []mutant) string {
	var b strings.Builder
	b.WriteString("| script | mutants | killed | equivalent | survived all | survived nearest | not tried |\n|---|---|---|---|---|---|---|\n")
	total, left := newTally("**all**"), []string(nil)
	for list := all; len(list) > 0; {
		script := list[0].Script
		one := newTally(fmt.Sprintf("[`%s`](../%s)", script, script))
		for len(list) > 0 && list[0].Script == script {
			m, fate := list[0], r.fate(list[0])
			list = list[1:]
			one.of[fate]++
			total.of[fate]++
			if fate == passedAll || fate == passedNearest {
				left = append(left, fmt.Sprintf("- `%s:%d`: `%s` (passed %s)\n", m.Script, m.Line, m.shown(), fate))
			}
		}
		b.WriteString(one.row())
	}
	b.WriteString(total.row())
	if len(left) > 0 {
		b.WriteString("\nThe survivors, and which tests they passed:\n\n" + strings.Join(left, ""))
	}
	return pageTitle + total.sentence() + pageHead + b.String()
}

// fates in the order of the columns.
var fates = []string{"killed", "equivalent", passedAll, passedNearest, "not tried"}

// fate is what runs have found of a mutant.
func (r *report) fate(m mutant) string {
	switch h := m.hash(); {
	case r.known[m.id()] != "":
		return "equivalent"
	case r.state.Killed[h] != "":
		return "killed"
	case r.state.Survived[h] != "":
		return r.state.Survived[h]
	}
	return "not tried"
}

// tally counts mutants by what became of them.
type tally struct {
	name string
	of   map[string]int
}

func newTally(name string) tally { return tally{name, map[string]int{}} }

// sentence is the whole in words.
func (t tally) sentence() string {
	sum := 0
	for _, n := range t.of {
		sum += n
	}
	return fmt.Sprintf("**Of %d mutants of the Lua scripts tests kill %d; %d are equivalent, each with its reason; %d survive; %d have not been tried.**\n\n",
		sum, t.of["killed"], t.of["equivalent"], t.of[passedAll]+t.of[passedNearest], t.of["not tried"])
}

func (t tally) row() string {
	sum, cells := 0, ""
	for _, fate := range fates {
		sum += t.of[fate]
		cells += fmt.Sprintf(" %d |", t.of[fate])
	}
	return fmt.Sprintf("| %s | %d |%s\n", t.name, sum, cells)
}
