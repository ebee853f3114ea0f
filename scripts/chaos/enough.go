package main

import (
	"fmt"
	"time"
)

// fewKills is the time per kill beyond which a run that was only given a time
// has killed too little.
const fewKills = 10 * time.Second

// tooLittle says what a run did too little of to show anything: in an
// installation that takes nothing in nothing is lost.
func (o *outcome) tooLittle() []string {
	var list []string
	x := o.x
	atLeast := func(got, want int, what string, args ...any) {
		if got < max(want, 1) {
			list = append(list, fmt.Sprintf("%d %s, of at least %d", got, fmt.Sprintf(what, args...), max(want, 1)))
		}
	}
	kills := x.o.kills / 2
	if x.o.kills == 0 {
		kills = int(x.o.limit / fewKills)
	}
	documents, jobs := x.ledger.counts()
	atLeast(x.deaths.kills(), kills, "kills")
	atLeast(documents, x.o.documents/10, "documents acknowledged")
	atLeast(jobs, x.o.noops/10, "jobs acknowledged")
	atLeast(o.documents["completed"], documents/3, "documents completed")
	atLeast(o.jobs["finished"], jobs/2, "jobs finished")
	switch {
	case x.o.power:
		atLeast(len(x.power.losses), 1, "power failures that cut something off")
	case !o.unclocked:
		atLeast(o.verdict.jobs-o.verdict.unknown, (documents+jobs)/2, "jobs with a history that was decided")
	}
	return list
}
