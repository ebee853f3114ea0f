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

local function main()
  local token, j, status, q, to = take(), take(), take(), take(), take()
  local labels, effects = takelist(), takeeffects()
  local early = unasked(token, j, status, q)
  if early then
    return early
  end
  decide(effects)
  local worker = status == 'started' and get(j, 'worker_name')
  event({ 'job', j, 'queue', q, 'worker', worker or '', 'from', status, 'to', to, 'reason', 'deleted' }, labels)
  receipt(token)
  w('LREM', K.queue(q), '1', j)
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
