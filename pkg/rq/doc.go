/*
Package rq is a job queue laid out in Redis exactly as Python's RQ 2.12 lays
it out, so that Python producers, workers and tools work on the same queues.
It knows nothing of what jobs are about. docs/queue-protocol.md lists the keys
and every difference from RQ.

# Life of a job

	          Enqueue(At)               Enqueue
	              |                        |
	              v        MoveDue         v        Claim
	         [scheduled] ------------> [queued] ------------> [started]
	              ^                    ^  ^  ^                 |  |  |
	              |  OutcomeRetry,     |  |  |  OutcomeRetry,  |  |  |
	              |  OutcomeReturned,  |  |  |  OutcomeReturned|  |  |
	              |  a repeat,         |  |  +-----------------+  |  |
	              |  with interval     |  |     OutcomeRetryFree  |  |
	              +--------------------|--|-----OutcomeReturnHead-+  |
	                                   |  |     RecoverExpired       |
	 [deferred] ---- a parent ends ----+  |                          |
	                                      | Requeue                  |
	                  +-------------------+---------+                |
	                  |                   |         |                |
	             [canceled]           [failed]  [stopped]       [finished]
	                  ^                   ^         ^                ^
	      Cancel of   |       OutcomeFail |         | OutcomeStop    | OutcomeFinish
	anything not final|       no retries, |         |                |
	                  |       RecoverExpired        |                |
	                  +-------------------+---- [started] -----------+

OutcomeReturned (the function returned a Retry) has a count of its own, after
which the job fails. OutcomeFinish of a job that repeats leaves it queued or
scheduled again, in the finished registry as well. What RecoverExpired does is
below; SeekStrays puts jobs that nothing holds back into their queue.

Delete removes a job in any state, Empty all that wait in a queue; to the
caller's Effects what had not ended is then canceled. Stop asks the worker of a
started job for OutcomeStop. Suspend keeps Claim from giving jobs.

Every arrow is one Lua script: it happens whole or not at all, in one round
trip, together with the Effects that the caller brings (records, indexes) and
one entry in the events stream. Enqueue makes a job deferred while one of the
jobs it depends on exists and has not finished.

# Who calls what

A worker process registers a name per slot (RegisterWorkers), claims with the
names of its free slots (Claim), waits when there was nothing (Wait), reports
all slots every Lease/3 (Heartbeat), ends executions (Finish) and takes
commands (Commands). It also calls RecoverExpired every Lease/3 or more often,
MoveDue every second or when its answer says so, SeekStrays every 5 s, and
Maintenance every ten minutes. Producers call Enqueue; people and APIs call
Cancel, Requeue, and the reading methods, which never write but for GroupJobs.

Fsck compares all keys with one another and repairs what does not agree;
Explain says of one job why it is not done.

# Who holds a job

Claim gives an execution an id E and puts J:E into rq:wip:Q. That member is
the fencing token: every script of a running job first looks whether it is
still there, and if not changes nothing (ErrLateFinish). Canceling, recovering
and RQ's own cleaning all work by removing it. Status is never the guard of a
running job.

Beside it stands docsvc's own lease, lease:Q below Options.Namespace: J:E with
the time by the server's clock at which it ends, 12 s ahead, renewed by every
Heartbeat. RQ's scores and times to live stay RQ's own (90 s and more), because
Python's cleaners act on them.

# What each failure does

Worker killed: its leases end within 12 s; RecoverExpired then takes each of
its executions once. Functions named idempotent go back to the head of their
queue without spending a retry, and the death is counted in the recovered hash;
at the fifth the job fails and says so. Other functions follow RQ: a retry if
one is left, else failed. A new process under the same name, on the same host
and boot, does not wait for the lease.

Worker paused or cut off: as if killed. What it reports afterwards is refused
and counted in the late hash.

Redis gone, or everybody cut off from it: nothing is recovered until a whole
lease has passed since somebody reached it again. Every sign of life notes the
time in the pulse key; a gap of more than half a lease is an outage. Callers
see errors for which IsUnavailable is true and repeat.

Redis restarted with its append-only file: executions go on; a claim that was
not yet in the file is found out by the next Heartbeat, which answers the
execution as lost.

Reply lost: every script may be sent again. Claim asks with the same execution
ids until it was answered, so that it is given the same jobs. Finish finds in
the worker's slot hash what that slot ended last, and answers as before.
Enqueue, Cancel and Requeue leave a receipt for two minutes.

Redis out of memory, read-only or unable to persist: the script's first write
is refused and nothing changes.

A permission that the Redis user lacks is an error that names command and key.
When the script's first command needs it nothing changes; one that is needed
later leaves out its own write only, and the same call again is answered.

Bad data: entries without a waiting job are dropped from the queue and counted
in the dropped hash; hashes that cannot be decoded give a Job with PayloadErr;
fields over 16 MiB are not loaded; keys of another type are passed by, writes
to them counted in the refused hash. Nothing stops the worker.

A job deleted, canceled or changed by another tool while it runs: its execution
no longer holds it, or its hash is gone; it is not brought to life again.
*/
package rq
