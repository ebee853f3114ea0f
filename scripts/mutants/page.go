package main

import (
	"fmt"
	"strings"
)

const pageHead = `# Mutants: every guard of the scripts is tested

` + "`make mutants`" + ` changes one thing at a time in a Lua script of the queue or of documents, runs the tests, and wants one to fail. The whole run
takes about half an hour on two cores; ` + "`make mutants SCRIPT=claim.lua`" + ` tries one script, and what was killed before is not tried again while
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

`

// markdown is the page about the last whole run.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("| script | mutants | killed | equivalent | survived |\n|---|---|---|---|---|\n")
	rows, total := r.rows()
	for _, o := range rows {
		fmt.Fprintf(&b, "| [`%s`](../%s) | %d | %d | %d | %d |\n", o.script, o.script, o.all, o.killed, o.same, o.survived)
	}
	fmt.Fprintf(&b, "| **%s** | %d | %d | %d | %d |\n", total.script, total.all, total.killed, total.same, total.survived)
	return b.String()
}
