-- cancel: takes a job that is not final out of whatever it is in. One that
-- runs loses its execution, so that its finish will be refused, and its worker
-- is sent RQ's stop-job.
--
-- KEYS  job hash, the queue's list, rq:canceled
-- ARGV  after the prelude's: token of this call; job; status and queue that
--       the caller read and computed the effects from; 1 to enqueue the jobs
--       that wait for it, as if it had finished; 1 to leave the sets of those
--       it waits for; list of event labels; effects
-- Reply { 'ok' } also when the call was repeated
--    or { 'none' } no such job
--    or { 'changed' } status or queue are others now: read again
--
-- The caller refuses final jobs itself, from the status it read.

-- fence takes the executions of j away. Those of docsvc, which have a lease,
-- leave nothing; a Python worker's keep their hash, as RQ's own cancel does,
-- because that worker still writes to it.
local function fence(j, q)
  for _, e in ipairs(r('ZRANGE', K.executions(j), '0', '-1') or {}) do
    local member = j .. ':' .. e
    if r('ZSCORE', K.lease(q), member) then
      unexecute(j, e, q)
    else
      w('ZREM', K.wip(q), member)
    end
  end
  local worker = get(j, 'worker_name')
  if worker then
    tellstop(worker, j)
  end
end

local function main()
  local token, j, status, q = take(), take(), take(), take()
  local free, leave = take() == '1', take() == '1'
  local labels, effects = takelist(), takeeffects()
  local early = unasked(token, j, status, q)
  if early then
    return early
  end
  decide(effects)
  full()
  event({ 'job', j, 'queue', q, 'worker', status == 'started' and get(j, 'worker_name') or '', 'from', status,
    'to', 'canceled', 'reason', 'canceled' }, labels)
  receipt(token)
  w('HSET', K.job(j), 'status', 'canceled')
  if q ~= '' then
    w('ZADD', K.canceled(q), int(sec), j)
    if status == 'started' then
      fence(j, q)
    elseif status == 'deferred' then
      w('ZREM', K.deferred(q), j)
    elseif status == 'scheduled' then
      w('ZREM', K.scheduled(q), j)
    else
      w('LREM', K.queue(q), '1', j)
    end
  end
  if free then
    dependents(j, 'finished')
  end
  if leave then
    for _, parent in ipairs(r('SMEMBERS', K.dependencies(j)) or {}) do
      w('SREM', K.dependents(parent), j)
    end
  end
  w('HDEL', K.recovered, j)
  apply(effects)
  return { 'ok' }
end

return run(main)
