// Command chaos breaks a docsvc installation for minutes and then looks whether
// anything was lost, is stuck, or was done twice; see docs/chaos.md.
//
// It starts a redis-server, an S3 server, API servers and workers as processes
// of their own, the last two from a docsvc with failpoints, each behind proxies
// of its own to Redis and S3. While clients submit documents and producers
// enqueue jobs, processes are killed, stopped and cut off at random moments and
// at failpoints. Then all harm ends, and everything that was acknowledged has
// to come to its end.
//
// What is done to whom and for how long, and all documents and jobs, follow
// from the seed. At which step of a process it falls does not, so the same seed
// makes the same kind of run, not the same run.
//
//	main.go       arguments, scenarios
//	run.go        the course of a run
//	plan.go       documents and jobs of a seed
//	site.go       directory, addresses, proxies
//	slots.go      which process runs where, and how soon again
//	s3.go         the S3 server, and what is wrong with it
//	process.go    starting, watching, killing and stopping a process
//	points.go     choosing failpoints
//	faults.go     the harm
//	power.go      power failures of Redis
//	clients.go    clients and producers
//	events.go     following docsvc:events
//	history.go    the queue as a model, checked with porcupine
//	recovery.go   how long a dead worker's jobs waited
//	verify.go     documents and jobs at the end
//	leftovers.go  what may be left in bucket and Redis
//	enough.go     whether the run did enough to show anything
//	outcome.go    the table
package main
