-- delete: deletes one job with everything RQ's Job.delete deletes: its entry
-- in the queue or registry, executions, group membership, hash and both sets
-- of dependencies; results stay. A running one loses its execution, so that
-- its finish is refused, and its worker is sent RQ's stop-job.
--
-- KEYS  job hash, the queue's list
-- ARGV  after the prelude's: token of this call; job; status and queue that
--       the caller read and computed the effects from; what the job becomes,
--       for the event; list of event labels; effects
-- Reply { 'ok' } also when the call was repeated
--    or { 'none' } no such job
--    or { 'changed' } status or queue are others now: read again

-- unlist takes one entry out of the queue. That of a job that does not wait is
-- a left-over, if there is one at all: it is looked for near both ends only,
-- because Redis answers nobody while it walks through a long list. Whoever
-- comes to one that stays drops it.
local near = '10000'

local function unlist(key, j, waits)
  if waits or r('LPOS', key, j, 'MAXLEN', near) then
    w('LREM', key, '1', j)
  elseif r('LPOS', key, j, 'RANK', '-1', 'MAXLEN', near) then
    w('LREM', key, '-1', j)
  end
end

local function main()
  local token, j, status, q, to = take(), take(), take(), take(), take()
  local labels, effects = takelist(), takeeffects()
  local early = unasked(token, j, status, q)
  if early then
    return early
  end
  decide(effects)
  full()
  local worker = status == 'started' and get(j, 'worker_name')
  event({ 'job', j, 'queue', q, 'worker', worker or '', 'from', status, 'to', to, 'reason', 'deleted' }, labels)
  receipt(token)
  unlist(K.queue(q), j, status == 'queued' or status == 'created' or status == '')
  local registry = ({ finished = K.finished, failed = K.failed, stopped = K.failed, deferred = K.deferred,
    scheduled = K.scheduled, canceled = K.canceled })[status]
  if registry then
    w('ZREM', registry(q), j)
  end
  delete(j, q)
  w('HDEL', K.recovered, j)
  if worker then
    -- rq-dashboard fails on a worker whose job has no hash.
    if r('HGET', K.worker(worker), 'current_job') == j then
      w('HDEL', K.worker(worker), 'current_job')
    end
    tellstop(worker, j)
  end
  apply(effects)
  return { 'ok' }
end

return run(main)
