// Package worker runs jobs of an RQ-compatible queue: it claims them, calls
// the handler registered for their function name, and settles each with one
// transition. It knows nothing of what the jobs are about.
//
// # Slots
//
// A Worker with concurrency N shows in Redis as N RQ workers: "worker-1" for
// N = 1, else "worker-1.1" ... "worker-1.N", each with its own command
// channel, so that every RQ tool counts busy and idle rightly. Behind those
// names are one dispatcher, which claims for all free slots in one call, one
// heartbeat, which refreshes all names and leases in one round trip, and one
// subscription for commands.
//
// # The life of a job here
//
//	claim ──> handler ──> outcome ──> Finish, repeated until acknowledged
//	             │                        │
//	             │ context ends           ├─ accepted
//	             │  ErrTimeout     fail   ├─ a condition does not hold: OnConflict gives another result
//	             │  ErrStopped     stop   └─ late: the execution was fenced, the result is dropped
//	             │  ErrHorseKilled retry
//	             │  ErrKilled      back to the head of the queue
//	             └─ ErrLeaseLost   nothing: somebody else has the job now
//
// The cause of the context's end (context.Cause) decides what becomes of the
// job, unless the handler returned a result all the same; then the result
// counts. A cancel fences the execution in Redis first and reaches the
// handler through the command channel at once, or through the next heartbeat
// when the message was lost.
//
// # When Redis is away
//
// A worker waits. It says so once per outage, naming what waits, and goes on
// by itself; handlers keep running and their results are kept until Redis has
// either accepted or fenced them. Only a name that a live worker elsewhere
// holds ends Run with an error.
//
// # Ends
//
// Stop (or the end of Run's context) is warm: nothing new is claimed, jobs in
// hand are finished. Kill is cold: handlers are cancelled and their jobs go
// back to the head of their queue. Every goroutine that a Worker starts has
// ended when Run returns, but for a handler that ignores its context: Run
// then returns an error that names the job.
package worker
