package rq

import (
	"strconv"
	"time"
)

// Key names. The same names are built in lua/prelude.lua, table K; a test
// compares the two. Nothing else in this package spells a key.

const (
	keyQueues    = "rq:queues"    // set of rq:queue:Q
	keyWorkers   = "rq:workers"   // set of rq:worker:W
	keySuspended = "rq:suspended" // exists while workers are suspended
	keyGroups    = "rq:groups"    // set of group names

	keyCronSchedulers = "rq:cron_schedulers" // zset cron scheduler -> last heartbeat
	keyCronJobs       = "rq:cron_jobs"       // zset name of cron jobs -> last enqueued

	prefixJob    = "rq:job:"
	prefixQueue  = "rq:queue:"
	prefixWorker = "rq:worker:"

	prefixExecution = "rq:execution:"
)

func keyJob(id string) string          { return prefixJob + id }
func keyDependents(id string) string   { return prefixJob + id + ":dependents" }
func keyDependencies(id string) string { return prefixJob + ":" + id + ":dependencies" } // two colons, as RQ writes it
func keyResults(id string) string      { return "rq:results:" + id }
func keyExecutions(id string) string   { return "rq:executions:" + id }
func keyExecution(id, execution string) string {
	return "rq:execution:" + id + ":" + execution
}

func keyQueue(q string) string         { return prefixQueue + q }
func keyIntermediate(q string) string  { return prefixQueue + q + ":intermediate" }
func keyFirstSeen(q, id string) string { return prefixQueue + q + ":intermediate:first_seen:" + id }
func keyWIP(q string) string           { return "rq:wip:" + q }
func keyFinished(q string) string      { return "rq:finished:" + q }
func keyFailed(q string) string        { return "rq:failed:" + q }
func keyDeferred(q string) string      { return "rq:deferred:" + q }
func keyScheduled(q string) string     { return "rq:scheduled:" + q }
func keyCanceled(q string) string      { return "rq:canceled:" + q }
func keyCleaning(q string) string      { return "rq:clean_registries:" + q }
func keySchedulerLock(q string) string { return "rq:scheduler-lock:" + q }
func keyScheduler(name string) string  { return "rq:scheduler:" + name }

func keyCronScheduler(name string) string { return "rq:cron_scheduler:" + name }
func keyCronHistory(name string) string   { return "rq:cron_job:" + name + ":jobs" } // zset job -> enqueued at

func keyWorker(w string) string    { return prefixWorker + w }
func keyWorkersOf(q string) string { return "rq:workers:" + q }
func keyPubSub(w string) string    { return "rq:pubsub:" + w }
func keyGroup(name string) string  { return "rq:group:" + name }

// Our own keys, below Options.Namespace.

func (c *Client) keyEvents() string          { return c.o.Namespace + "events" }       // stream of transitions
func (c *Client) keyLease(q string) string   { return c.o.Namespace + "lease:" + q }   // zset J:E -> expiry, unix ms
func (c *Client) keyRecovered() string       { return c.o.Namespace + "recovered" }    // hash job -> deaths of its worker
func (c *Client) keyDropped() string         { return c.o.Namespace + "dropped" }      // hash queue -> entries dropped by claim
func (c *Client) keyRecoveries() string      { return c.o.Namespace + "recoveries" }   // hash queue -> jobs taken from dead workers
func (c *Client) keyDeaths() string          { return c.o.Namespace + "deaths" }       // hash queue -> those of them that counted as a death
func (c *Client) keyLate() string            { return c.o.Namespace + "late" }         // hash queue -> late finishes refused
func (c *Client) keyRefused() string         { return c.o.Namespace + "refused" }      // hash command -> writes refused by Redis
func (c *Client) keyReceipts() string        { return c.o.Namespace + "receipts" }     // zset call token -> unix ms
func (c *Client) keyPulse() string           { return c.o.Namespace + "pulse" }        // unix ms of the last sign of life
func (c *Client) keyQuietUntil() string      { return c.o.Namespace + "quiet_until" }  // unix ms before which nothing is recovered
func (c *Client) keySchedulers() string      { return c.o.Namespace + "schedulers" }   // zset scheduler of ours -> expiry of its lease, unix ms
func (c *Client) keySlot(w string) string    { return c.o.Namespace + "worker:" + w }  // hash: who holds the name, its lease
func (c *Client) keyStrays() string          { return c.o.Namespace + "strays" }       // hash queue -> jobs that nothing held, put back
func (c *Client) keyStrayOwner() string      { return c.o.Namespace + "strays:owner" } // token of the process that looks for them
func (c *Client) keyStrayWalk() string       { return c.o.Namespace + "strays:walk" }  // hash: how far it is
func (c *Client) keyStraysSeen() string      { return c.o.Namespace + "strays:seen" }  // zset job and digest -> unix ms
func (c *Client) keyScratch(j string) string { return c.o.Namespace + "scratch:" + j }

// keyCronSlot is set by the scheduler that enqueues a cron job for a time, to the
// id that it had.
func (c *Client) keyCronSlot(entry string, at time.Time) string {
	return c.o.Namespace + "cron:" + entry + ":" + strconv.FormatInt(at.Unix(), 10)
}

// keyRegistry returns the key of a queue's registry and whether it is one.
func keyRegistry(q string, r Registry) (string, bool) {
	switch r {
	case RegistryQueued:
		return keyQueue(q), true
	case RegistryStarted:
		return keyWIP(q), true
	case RegistryFinished:
		return keyFinished(q), true
	case RegistryFailed:
		return keyFailed(q), true
	case RegistryDeferred:
		return keyDeferred(q), true
	case RegistryScheduled:
		return keyScheduled(q), true
	case RegistryCanceled:
		return keyCanceled(q), true
	}
	return "", false
}
