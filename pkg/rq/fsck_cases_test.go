package rq

// fsckCases are one kind of damage each: what makes it, what is found, and how
// Redis differs after the repair. Cases without a change are only named.
var fsckCases = []struct{ name, seed, found, change string }{
	{
		name: "no job ids in a queue, one before an entry that is there twice",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		RPUSH rq:queue:q b:ad j1 b:ad ''`,
		found: `
		bad_entry rq:queue:q b:ad
		bad_entry rq:queue:q`,
		change: `
			+ rq:queue:q [j1 j1]
			- rq:queue:q [j1 b:ad j1 b:ad ]`,
	},
	{
		name: "ids without a job in a queue",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		LPUSH rq:queue:q gone1 gone2
		RPUSH rq:queue:q gone3`,
		found: `
		entry_without_job rq:queue:q gone1
		entry_without_job rq:queue:q gone2
		entry_without_job rq:queue:q gone3`,
		change: `
			+ rq:queue:q [j1]
			- rq:queue:q [gone2 gone1 j1 gone3]`,
	},
	{
		name: "the only id of a queue has no job",
		seed: `
		RPUSH rq:queue:q gone
		SADD rq:queues rq:queue:q`,
		found: `entry_without_job rq:queue:q gone`,
		change: `
			- rq:queue:q [gone]`,
	},
	{
		name: "a finished job in a queue",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		HSET rq:job:j1 status finished`,
		found: `entry_not_waiting rq:queue:q j1`,
		change: `
			- rq:queue:q [j1]`,
	},
	{
		name: "ids without a job in registries",
		seed: `
		ZADD rq:scheduled:q 1795436000 s1
		ZADD rq:deferred:q 1795435000 d1
		ZADD rq:canceled:q 1795435000 c1
		ZADD rq:finished:q inf f1
		ZADD rq:failed:q -1 x1
		ZADD rq:failed:q 1795435199 expired
		ZADD rq:finished:q 1795000000 left`,
		found: `
		entry_without_job rq:scheduled:q s1
		entry_without_job rq:deferred:q d1
		entry_without_job rq:canceled:q c1
		entry_without_job rq:finished:q f1
		entry_without_job rq:failed:q x1
		entry_without_job rq:finished:q left`,
		change: `
			- rq:canceled:q c1 1795435000
			- rq:deferred:q d1 1795435000
			- rq:failed:q x1 -1
			- rq:finished:q f1 +Inf
			- rq:finished:q left 1795000000
			- rq:scheduled:q s1 1795436000`,
	},
	{
		name: "no job ids in registries",
		seed: `
		ZADD rq:failed:q 1795436000 a:b
		ZADD rq:wip:q 1795435280 ab
		ZADD rq:wip:q 1795435280 a:b:c`,
		found: `
		bad_entry rq:failed:q a:b
		bad_entry rq:wip:q ab
		bad_entry rq:wip:q a:b:c`,
		change: `
			- rq:failed:q a:b 1795436000
			- rq:wip:q a:b:c 1795435280
			- rq:wip:q ab 1795435280`,
	},
	{
		name: "a queued job in registries that it left",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		ZADD rq:scheduled:q 1795435000 j1
		ZADD rq:deferred:q 1795435000 j1
		ZADD rq:finished:q 1795436000 j1`,
		found: `
		registry_mismatch rq:scheduled:q j1
		registry_mismatch rq:deferred:q j1`,
		change: `
			- rq:deferred:q j1 1795435000
			- rq:scheduled:q j1 1795435000`,
	},
	{
		name: "a queued job in no queue",
		seed: `
		HSET rq:job:j1 status queued origin q data {call} enqueued_at 2026-11-23T11:00:00.000000Z
		SADD rq:queues rq:queue:q
		HSET rq:job:j0 status queued origin q data {call}
		RPUSH rq:queue:q j0`,
		found: `queued_lost rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:queue:q [j1 j0]
			- rq:job:j1 enqueued_at = 2026-11-23T11:00:00.000000Z
			- rq:queue:q [j0]`,
	},
	{
		name: "queued jobs in no queue that their producers may be running",
		seed: `
		HSET rq:job:j1 status queued origin q data ["their.work",null,[],{}] timeout 180 worker_name '' enqueued_at 2026-11-22T12:00:10.000000Z
		HSET rq:job:j2 status queued origin q data ["their.work",null,[],{}] timeout 172800 worker_name '' enqueued_at 2026-11-21T12:00:10.000000Z
		HSET rq:job:j3 status queued origin q data ["their.work",null,[],{}] timeout -1 worker_name '' enqueued_at 2026-11-23T11:57:00.000000Z
		HSET rq:job:j4 status queued origin q data {call} timeout 180 worker_name sync enqueued_at 2026-11-20T10:00:00.000000Z
		SADD rq:queues rq:queue:q`,
		found: `
		queued_lost rq:job:j1 j1
		queued_lost rq:job:j2 j2
		queued_lost rq:job:j3 j3`,
		change: ``,
	},
	{
		name: "a queued job in no queue for longer than its producer is believed to run it",
		seed: `
		HSET rq:job:j1 status queued origin q data ["their.work",null,[],{}] timeout 100 enqueued_at 2026-11-22T11:59:59.000000Z
		SADD rq:queues rq:queue:q`,
		found: `queued_lost rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:queue:q [j1]
			- rq:job:j1 enqueued_at = 2026-11-22T11:59:59.000000Z`,
	},
	{
		name: "a started job that may run again without an execution",
		seed: `
		HSET rq:job:j1 status started origin q data {call} worker_name w1 started_at 2026-11-23T11:00:00.000000Z
		SADD rq:queues rq:queue:q
		HSET rq:job:j0 status queued origin q data {call}
		RPUSH rq:queue:q j0`,
		found: `started_lost rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1 j0]
			- rq:job:j1 status = started
			- rq:queue:q [j0]`,
	},
	{
		name: "a started job with a retry left without an execution",
		seed: `
		HSET rq:job:j1 status started origin q data X retries_left 2 started_at 2026-11-23T11:00:00.000000Z`,
		found: `started_lost rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 retries_left = 1
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1]
			+ rq:queues rq:queue:q
			- rq:job:j1 retries_left = 2
			- rq:job:j1 status = started`,
	},
	{
		name: "a started job that may not run again without an execution",
		seed: `
		HSET rq:job:j1 status started origin q data X failure_ttl 600 started_at 2026-11-23T11:00:00.000000Z`,
		found: `started_lost rq:job:j1 j1`,
		change: `
			+ rq:failed:q j1 1795435800
			+ rq:job:j1 ended_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 600
			+ rq:results:j1 #0 exc_string="The job was started, and nothing was left of its execution: its worker is gone, and the job may not simply run again." type=2 worker_name=
			- rq:job:j1 status = started`,
	},
	{
		name: "a started job in a queue without an execution",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		HSET rq:job:j1 status started`,
		found: `
		started_lost rq:job:j1 j1
		entry_not_waiting rq:queue:q j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			- rq:job:j1 enqueued_at = 2026-11-23T11:59:00.000000Z
			- rq:job:j1 status = started`,
	},
	{
		name: "a scheduled job in no registry",
		seed: `
		HSET rq:job:j1 status scheduled origin q data {call}`,
		found: `scheduled_lost rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1]
			+ rq:queues rq:queue:q
			- rq:job:j1 status = scheduled`,
	},
	{
		name: "a deferred job in no registry",
		seed: `
		HSET rq:job:p status started origin q data {call}
		ZADD rq:wip:q 1795435280 p:e
		HSET rq:execution:p:e id e
		EXPIRE rq:execution:p:e 80
		ZADD rq:executions:p 1795435340 e
		EXPIRE rq:executions:p 140
		HSET rq:job:j1 status deferred origin q data {call}
		SADD rq:job::j1:dependencies p
		SADD rq:job:p:dependents j1`,
		found: `deferred_lost rq:job:j1 j1`,
		change: `
			+ rq:deferred:q j1 1795435200`,
	},
	{
		name: "a deferred job whose parents are done or gone",
		seed: `
		HSET rq:job:p status finished origin q data {call}
		HSET rq:job:j1 status deferred origin q data {call} dependency_ids ["p","old"]
		SADD rq:job:p:dependents j1
		SADD rq:job::j1:dependencies p
		ZADD rq:deferred:q 1795435000 j1
		HSET rq:job:j0 status queued origin q data {call}
		RPUSH rq:queue:q j0
		SADD rq:queues rq:queue:q`,
		found: `deferred_ready rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j0 j1]
			- rq:deferred:q j1 1795435000
			- rq:job:j1 status = deferred
			- rq:job:p:dependents j1
			- rq:queue:q [j0]`,
	},
	{
		name: "a deferred job that tolerates its failed parent",
		seed: `
		HSET rq:job:p status failed origin q data {call}
		HSET rq:job:j1 status deferred origin q data {call} allow_dependency_failures 1 enqueue_at_front 1
		SADD rq:job::j1:dependencies p
		ZADD rq:deferred:q 1795435000 j1
		HSET rq:job:j2 status deferred origin q data {call}
		SADD rq:job::j2:dependencies p
		ZADD rq:deferred:q 1795435000 j2
		HSET rq:job:j0 status queued origin q data {call}
		RPUSH rq:queue:q j0
		SADD rq:queues rq:queue:q`,
		found: `deferred_ready rq:job:j1 j1`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1 j0]
			- rq:deferred:q j1 1795435000
			- rq:job:j1 status = deferred
			- rq:queue:q [j0]`,
	},
	{
		name: "jobs left in the intermediate list",
		seed: `
		HSET rq:job:j1 status queued origin q data {call}
		HSET rq:job:j2 status finished origin q data {call}
		RPUSH rq:queue:q:intermediate j1 j2 gone
		SET rq:queue:q:intermediate:first_seen:j1 1795435000.5`,
		found: `
		intermediate_leftover rq:queue:q:intermediate j1
		intermediate_leftover rq:queue:q:intermediate j2
		intermediate_leftover rq:queue:q:intermediate gone`,
		change: `
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:queue:q [j1]
			+ rq:queues rq:queue:q
			- rq:queue:q:intermediate [j1 j2 gone]
			- rq:queue:q:intermediate:first_seen:j1 = 1795435000.5`,
	},
	{
		name: "jobs taken while a worker of RQ is alive",
		seed: `
		HSET rq:worker:py birth 2026-11-23T11:00:00.000000Z queues q state busy
		EXPIRE rq:worker:py 480
		SADD rq:workers rq:worker:py
		HSET rq:job:j1 status queued origin q data {call}
		HSET rq:job:j2 status queued origin q data {call}
		RPUSH rq:queue:q:intermediate j1`,
		found: `
		intermediate_leftover rq:queue:q:intermediate j1
		queued_lost rq:job:j2 j2`,
		change: ``,
	},
	{
		name: "an unfinished compact",
		seed: `
		RPUSH rq:queue:_compact:6f j1
		HSET rq:job:j1 status queued origin q data {call}`,
		found:  `compact_leftover rq:queue:_compact:6f`,
		change: ``,
	},
	{
		name: "an execution of a job that is gone",
		seed: `
		ZADD rq:wip:q 1795435280 j1:e1
		ZADD docsvc:lease:q 1795435202250 j1:e1
		ZADD rq:executions:j1 1795435340 e1
		EXPIRE rq:executions:j1 140`,
		found: `execution_without_job rq:wip:q j1`,
		change: `
			- docsvc:lease:q j1:e1 1795435202250
			- rq:wip:q j1:e1 1795435280`,
	},
	{
		name: "an execution of a queued job",
		seed: queuedJob + `
		SADD rq:queues rq:queue:q
		ZADD rq:wip:q 1795435000 j1:e1
		HSET rq:execution:j1:e1 id e1
		EXPIRE rq:execution:j1:e1 80`,
		found: `execution_of_other_state rq:wip:q j1`,
		change: `
			- rq:wip:q j1:e1 1795435000`,
	},
	{
		name: "an execution that nobody took over",
		seed: `
		HSET rq:job:j1 status started origin q data {call}
		ZADD rq:wip:q 1795430000 j1:e1`,
		found:  `abandoned_execution rq:wip:q j1`,
		change: ``,
	},
	{
		name: "an execution without its hash",
		seed: `
		HSET rq:job:j1 status started origin q data {call}
		ZADD rq:wip:q 1795435280 j1:e1`,
		found:  `execution_incomplete rq:wip:q j1`,
		change: ``,
	},
	{
		name: "executions in no registry, for ever",
		seed: `
		HSET rq:execution:j1:e1 id e1
		ZADD rq:executions:j1 1795435340 e1`,
		found: `
		execution_stray rq:execution:j1:e1 j1
		execution_stray rq:executions:j1 j1`,
		change: `
			- rq:execution:j1:e1 id = e1
			- rq:executions:j1 e1 1795435340`,
	},
	{
		name: "a lease without an execution",
		seed: `
		ZADD docsvc:lease:q 1795435100000 j1:e1
		SADD rq:queues rq:queue:q`,
		found: `lease_without_execution docsvc:lease:q j1`,
		change: `
			- docsvc:lease:q j1:e1 1795435100000`,
	},
	{
		name: "workers that are gone, one without a listing, one for ever",
		seed: `
		SADD rq:workers rq:worker:w1
		SADD rq:workers:q rq:worker:w1
		HSET rq:worker:w2 birth 2026-11-23T11:00:00.000000Z queues q,r state idle
		EXPIRE rq:worker:w2 480
		HSET rq:worker:w3 birth 2026-11-23T11:00:00.000000Z queues q
		SADD rq:workers rq:worker:w3
		HSET docsvc:worker:w3 token t`,
		found: `
		dead_worker rq:workers
		dead_worker rq:workers:q
		worker_unlisted rq:worker:w2
		worker_without_ttl rq:worker:w3
		worker_without_ttl docsvc:worker:w3`,
		change: `
			+ docsvc:worker:w3 ttl 86400
			+ rq:worker:w3 ttl 480
			+ rq:workers rq:worker:w2
			+ rq:workers:q rq:worker:w2
			+ rq:workers:r rq:worker:w2
			- rq:workers rq:worker:w1
			- rq:workers:q rq:worker:w1`,
	},
	{
		name: "names that are no keys",
		seed: `
		SADD rq:workers w1
		SADD rq:queues default`,
		found: `
		bad_member rq:workers
		bad_member rq:queues`,
		change: `
			- rq:queues default
			- rq:workers w1`,
	},
	{
		name: "sets and results of jobs that are gone",
		seed: `
		SADD rq:job:j1:dependents a b
		SADD rq:job::j1:dependencies c
		XADD rq:results:j1 5-1 type 1 return_value gAVLAy4=
		XADD rq:results:j1 6-0 type 2 exc_string x
		XADD rq:results:j2 5-1 type 1
		EXPIRE rq:results:j2 500`,
		found: `
		dependents_without_job rq:job:j1:dependents j1
		dependents_without_job rq:job::j1:dependencies j1
		results_without_job rq:results:j1 j1`,
		change: `
			- rq:job::j1:dependencies c
			- rq:job:j1:dependents a
			- rq:job:j1:dependents b
			- rq:results:j1 #0 return_value=pickle 3 type=1
			- rq:results:j1 #1 exc_string="" type=2`,
	},
	{
		name: "groups",
		seed: `
		SADD rq:groups g1 g2
		SADD rq:group:g2 gone j1
		HSET rq:job:j1 status finished origin q data {call}`,
		found: `
		group_gone rq:groups
		group_member_gone rq:group:g2 gone`,
		change: `
			- rq:group:g2 gone
			- rq:groups g1`,
	},
	{
		name: "wrong types",
		seed: `
		SET rq:job:j1 x
		SET rq:queue:q x
		SADD rq:wip:q a
		RPUSH rq:finished:q a
		SET rq:results:j2 x
		SET rq:workers x
		SET rq:executions:j3 x
		SET rq:queue:q:intermediate x`,
		found: `
		wrong_type rq:job:j1 j1
		wrong_type rq:queue:q
		wrong_type rq:wip:q
		wrong_type rq:finished:q
		wrong_type rq:results:j2 j2
		wrong_type rq:workers
		wrong_type rq:executions:j3 j3
		wrong_type rq:queue:q:intermediate`,
		change: `
			+ docsvc:fsck:moved:rq:executions:j3 = x
			+ docsvc:fsck:moved:rq:finished:q [a]
			+ docsvc:fsck:moved:rq:job:j1 = x
			+ docsvc:fsck:moved:rq:queue:q = x
			+ docsvc:fsck:moved:rq:queue:q:intermediate = x
			+ docsvc:fsck:moved:rq:results:j2 = x
			+ docsvc:fsck:moved:rq:wip:q a
			+ docsvc:fsck:moved:rq:workers = x
			- rq:executions:j3 = x
			- rq:finished:q [a]
			- rq:job:j1 = x
			- rq:queue:q = x
			- rq:queue:q:intermediate = x
			- rq:results:j2 = x
			- rq:wip:q a
			- rq:workers = x`,
	},
	{
		name: "scores out of range",
		seed: startedJob + `
		ZADD rq:wip:q 1895435280 j1:e1
		ZADD docsvc:lease:q 1895435202250 j1:e1
		HSET rq:job:c status canceled origin q data {call}
		ZADD rq:canceled:q -5 c
		HSET rq:job:s status scheduled origin q data {call}
		ZADD rq:scheduled:q inf s
		HSET rq:job:x status failed origin q data {call}
		ZADD rq:failed:q 1795435200000 x
		HSET rq:job:y status finished origin q data {call}
		ZADD rq:finished:q 1795435200000 y
		SADD rq:workers rq:worker:w1`,
		found: `
		score_out_of_range rq:wip:q j1
		score_out_of_range docsvc:lease:q j1
		score_out_of_range rq:canceled:q c
		score_out_of_range rq:scheduled:q s
		score_out_of_range rq:failed:q x
		score_out_of_range rq:finished:q y`,
		change: `
			+ docsvc:lease:q j1:e1 1795435212250
			+ rq:canceled:q c 1795435200
			+ rq:wip:q j1:e1 1795435290
			- docsvc:lease:q j1:e1 1895435202250
			- rq:canceled:q c -5
			- rq:wip:q j1:e1 1895435280`,
	},
	{
		name: "a queue that is not listed",
		seed: `
		HSET rq:job:j1 status queued origin q data {call}
		RPUSH rq:queue:q j1`,
		found: `queue_unlisted rq:queue:q`,
		change: `
			+ rq:queues rq:queue:q`,
	},
	{
		name: "our own keys: a lease of a queue known nowhere else, a name held for ever, a wrong type",
		seed: `
			ZADD docsvc:lease:unknown 1795435100000 j1:e1
			HSET docsvc:worker:w4 token t
			SET docsvc:lease:q x`,
		found: `
			lease_without_execution docsvc:lease:unknown j1
			worker_without_ttl docsvc:worker:w4
			wrong_type docsvc:lease:q`,
		change: `
			+ docsvc:fsck:moved:docsvc:lease:q = x
			+ docsvc:worker:w4 ttl 86400
			- docsvc:lease:q = x
			- docsvc:lease:unknown j1:e1 1795435100000`,
	},
	{
		name: "a queued job whose queue is of a wrong type",
		seed: `
			SET rq:queue:q x
			SADD rq:queues rq:queue:q
			HSET rq:job:j1 status queued origin q data {call}`,
		found: `
			wrong_type rq:queue:q
			queued_lost rq:job:j1 j1`,
		change: `
			+ docsvc:fsck:moved:rq:queue:q = x
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:queue:q [j1]
			- rq:queue:q = x`,
	},
	{
		name: "an execution of ours without a lease",
		seed: startedJob + `
			DEL docsvc:lease:q
			SADD rq:workers rq:worker:w1`,
		found:  `execution_without_lease rq:wip:q j1`,
		change: `+ docsvc:lease:q j1:e1 1795435212250`,
	},
	{
		name: "hashes that RQ cannot read",
		seed: `
		HSET rq:job:a status running origin q data {call}
		HSET rq:job:b status queued origin q data {call} enqueued_at 2026-11-23T11:00:00+00:00
		HSET rq:job:c status queued origin q data {call} timeout 180.0
		HSET rq:job:d last_heartbeat 2026-11-23T11:00:00.000000Z
		HSET rq:job:e status started data {call}`,
		found: `
		corrupt_job rq:job:a a
		corrupt_job rq:job:b b
		corrupt_job rq:job:c c
		corrupt_job rq:job:d d
		corrupt_job rq:job:e e`,
		change: ``,
	},
}
