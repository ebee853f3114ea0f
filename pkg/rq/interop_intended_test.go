package rq_test

import "regexp"

// difference is one way in which docsvc is meant to differ from RQ.
type difference struct {
	name   string
	reason string
	test   string // that shows it
	in     string // the only scenario where it may occur, "" for any
	// line is what it looks like in a comparison, "step: path: what differs";
	// nil where dumps do not show it.
	line *regexp.Regexp
}

// intended are all differences that are wanted. The suite fails on any other,
// and on an entry that no scenario needs any more.
var intended = []difference{
	{
		name: "what a worker process says of itself", test: "TestInterop/success",
		reason: "hostname, pid, version and measured times describe the process",
		line:   regexp.MustCompile(`: rq:worker:worker-1/(hostname|pid|ip_address|version|python_version|total_working_time): want "\S.*", got "\S`),
	},
	{
		name: "text of a failure", test: "TestInterop/failure and requeue",
		reason: "a Python traceback; docsvc writes the handler's sentence",
		line:   regexp.MustCompile(`: rq:results:\S+/\d+/exc_string: want "ValueError: .*", got "\S`),
	},
	{
		name: "retries of a requeued job", test: "TestInterop/requeue after retries", in: "requeue after retries",
		reason: "docsvc gives it the retries of its queue again; in RQ it has none left",
		line:   regexp.MustCompile(`^requeued after its retries: rq:job:j1/retries_left: want "0", got "4"`),
	},
	{
		name: "fields of a stopped job", test: "TestInterop/stopped",
		reason: "RQ writes a stale copy over it, docsvc keeps worker, heartbeat and end",
		line:   regexp.MustCompile(`^stopped( and requeued| ones stay)?: rq:(job:j\d/(worker_name|last_heartbeat|ended_at)|results:j\d/0/worker_name): want "", got `),
	},
	{
		name: "end of a stopped execution", test: "TestInterop/stopped",
		reason: "RQ does not say when it ended",
		line:   regexp.MustCompile(`^stopped( and requeued| ones stay)?: rq:results:j\d/0/execution_ended_at: got .*, is not there in RQ`),
	},
	{
		name: "cancel of a running job", test: "TestInterop/canceled while it runs", in: "canceled while it runs",
		reason: "RQ lets it run on and finish; docsvc takes its execution away and stops its worker",
		line:   regexp.MustCompile(`: rq:(job|results|wip|executions?|canceled|finished|failed|worker)`),
	},
	{
		name: "delete of a running job", test: "TestInterop/deleted while it runs", in: "deleted while it runs",
		reason: "in RQ it comes back as finished; docsvc refuses its end",
		line:   regexp.MustCompile(`: rq:(job:j1|results:j1|wip|executions?|finished|worker)`),
	},
	{
		name: "late end of an abandoned job", test: "TestInterop/ended after it was abandoned", in: "ended after it was abandoned",
		reason: "RQ overwrites what the job has become; docsvc refuses the end",
		line:   regexp.MustCompile(`^ended late: rq:(job:j1|results:j1|finished|failed|worker|executions?)`),
	},
	{
		name: "an id twice in a queue", test: "TestInterop/an id twice in the queue", in: "an id twice in the queue",
		reason: "RQ runs it twice; docsvc drops entries whose job does not wait",
		line:   regexp.MustCompile(`^run twice: rq:(job:j1|results:j1|finished|worker)`),
	},
	{
		name: "an id without a job in a queue", test: "TestInterop/an id without a job", in: "an id without a job",
		reason: "RQ leaves it in the intermediate list for minutes; docsvc drops it",
		line:   regexp.MustCompile(`: rq:queue:default:intermediate`),
	},
	{
		name: "a scheduled id without a job", test: "TestInterop/scheduled without a job", in: "scheduled without a job",
		reason: "RQ writes the entry before the hash and drops it when a scheduler looks in between; docsvc waits a minute",
		line:   regexp.MustCompile(`: rq:scheduled:default.* is not there in RQ`),
	},
	{
		name: "a job stuck in the intermediate list", test: "TestInterop/stuck in the intermediate list", in: "stuck in the intermediate list",
		reason: "RQ fails it though it was never started; docsvc puts it back to the head",
		line:   regexp.MustCompile(`^found again: rq:(job:j1|results:j1|failed|queue:default|worker:cleaner)`),
	},
	{
		name: "requeue --all and stopped jobs", test: "TestInterop/stopped ones are not requeued", in: "stopped ones are not requeued",
		reason: "they were stopped on purpose; docsvc leaves them",
		line:   regexp.MustCompile(`^stopped ones stay: rq:(job:j1|queue:default|failed:default)`),
	},
	{
		name: "time to live of a requeued job", test: "TestInterop/the rest of a life", in: "the rest of a life",
		reason: "it keeps what is left of it in RQ and may vanish in a long queue; docsvc starts it anew",
		line:   regexp.MustCompile(`^requeued: rq:job:j1 expires: `),
	},
	{
		name: "dependents within a group", test: "TestInterop/group with a dependent", in: "group with a dependent",
		reason: "RQ looks at what they depend on before it writes it, and they run at once; docsvc has them wait",
		line:   regexp.MustCompile(`^queued: rq:(deferred:default|job:child/(enqueued_at|status)|queue:default/2)`),
	},
	{
		name: "dependents of a failure that is not kept", test: "TestInterop/failure not kept, with a dependent", in: "failure not kept, with a dependent",
		reason: "RQ deletes the list of dependents before it looks at them, and they wait for ever; docsvc enqueues them first",
		line:   regexp.MustCompile(`^parent failed: rq:(job:child|queue:default|deferred:default)`),
	},
	{
		name: "results kept", test: "TestInterop/more than ten results", in: "more than ten results",
		reason: "RQ asks for about ten and keeps about a hundred; docsvc keeps ten",
		line:   regexp.MustCompile(`^run twelve times: rq:results:j1/`),
	},
	{
		name: "a time that has passed", test: "TestInterop/scheduled in the past", in: "scheduled in the past",
		reason: "RQ leaves the job to the next round of a scheduler; docsvc enqueues it at once",
		line:   regexp.MustCompile(`^scheduled: rq:(job:j1|queue:default|queues|scheduled:default)`),
	},
	{
		name: "an unreadable job", test: "TestInterop/unreadable", in: "unreadable",
		reason: "it ends a Python worker and is lost from the queue; docsvc claims it and says what is wrong",
		line:   regexp.MustCompile(`^worked: rq:`),
	},
	{name: "recovery", test: "TestRecoverExpired",
		reason: "docsvc's executions have a lease of 12 s beside RQ's score of 90 s, so that a dead worker is noticed in seconds"},
	{name: "a job whose worker died", test: "TestRecoverExpired",
		reason: "functions named idempotent go back to the head, five times at most; others fail or are retried as in RQ"},
	{name: "forgotten dependents", test: "TestMaintenanceReleasesForgottenDependents",
		reason: "RQ looks at them once, in a second transaction; docsvc's maintenance looks again"},
	{name: "stop-job sent again", test: "TestStopTellsTheWorkerUntilItObeys",
		reason: "RQ's is lost while a worker reconnects or has only just taken the job"},
	{name: "locks of others", test: "TestReleaseSchedulerOnlyGivesUpItsOwn",
		reason: "RQ deletes a lock whoever holds it; docsvc only its own"},
}

// scoredByNow is why RQ before 2.8 does not get on with dependents that a
// newer one, or docsvc, enqueued.
const scoredByNow = "2.12 scores a deferred job by the time it was deferred; maintenance there takes it for expired and fails it at once"

// returnedUnseen is what 2.6 does not do of a returned Retry.
const returnedUnseen = "a returned Retry leaves no result there, in 2.12 one of its own type; one run more is allowed there"

// What RQ 3.0 does otherwise than 2.12.
const (
	resultsGo   = "a job's results are deleted with it there, in 2.12 they stay"
	intervalsGo = "intervals of repeats are used from the front and dropped there, in 2.12 from the end and kept"
)

// otherVersions are the scenarios in which docsvc differs from other versions
// of RQ, because it does what 2.12 does.
var otherVersions = map[string]map[string]string{
	"2.6": {
		"allowed failure of what has ended": scoredByNow,
		"canceled with dependents":          scoredByNow,
		"dependency":                        scoredByNow,
		"dependency on what has ended":      scoredByNow,
		"dependency that fails":             scoredByNow,
		"dependency that may fail":          scoredByNow,
		"dependents released to the front":  scoredByNow,
		"many with a dependent":             scoredByNow,
		"not kept while it is retried":      "a job's ttl begins when it is queued there, in 2.12 also while it waits for a retry",
		"not kept, with a dependent":        scoredByNow,
		"one of two parents fails":          scoredByNow,
		"repeat later":                      "a repeated job that waits is finished there, in 2.12 scheduled",
		"repeat more often than intervals":  "a repeated job that waits is finished there, in 2.12 scheduled",
		"returned Retry":                    returnedUnseen,
		"returned Retry and success":        returnedUnseen,
		"returned Retry in JSON":            returnedUnseen,
		"scheduled":                         "a scheduled job's ttl begins when it is queued there, in 2.12 at once",
		"two parents":                       scoredByNow,
	},
	"2.0": {
		"abandoned":                         "a job that is abandoned leaves its error in exc_info there, in 2.12 in the results",
		"allowed failure of what has ended": scoredByNow,
		"dependency":                        scoredByNow,
		"dependency on what has ended":      scoredByNow,
		"dependency that fails":             scoredByNow,
		"dependency that may fail":          scoredByNow,
		"dependents released to the front":  scoredByNow,
		"group":                             "enqueue_many does not register the queue there, in 2.12 it does",
		"many at once":                      "enqueue_many does not register the queue there, in 2.12 it does",
		"many with a dependent":             scoredByNow,
		"not kept while it is retried":      "a job's ttl begins when it is queued there, in 2.12 also while it waits for a retry",
		"not kept, with a dependent":        scoredByNow,
		"one of two parents fails":          scoredByNow,
		"scheduled":                         "a scheduled job's ttl begins when it is queued there, in 2.12 at once",
		"two parents":                       scoredByNow,
	},
	"3.0": {
		"allowed failure of what has ended": "a failure that was before counts there at once, in 2.12 the job waits",
		"deleted":                           resultsGo,
		"emptied":                           resultsGo,
		"repeat at once":                    intervalsGo,
		"repeat later":                      intervalsGo,
		"repeat more often than intervals":  intervalsGo,
		"repeat that fails":                 intervalsGo,
	},
}
