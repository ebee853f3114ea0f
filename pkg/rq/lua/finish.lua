-- finish: ends one execution, in any of the ways an Outcome can.
--
-- KEYS  job hash, rq:wip and lease of the queue, the worker's hash and slot
-- ARGV  after the prelude's: job, execution, queue, worker; action (see
--       settle); delay in seconds for action schedule; list of fields and
--       values to set in the job hash; list of fields and values of the result
--       entry, empty for none; counter "successful", "failed" or ""; 1 to add
--       to the worker's working time; reason; list of event labels;
--       conditions; effects
-- Reply { 'ok', status, unix second of the next attempt or 0, when the job ended }
--    or { 'late' } the execution no longer holds the job
--    or { 'condition', index, key, found } nothing was written
--
-- Fenced by job:execution in rq:wip. What a worker slot finished last stands
-- in its slot hash, so that the same finish repeated after a lost reply is
-- answered as it was the first time.

local function main()
  local j, e, q, worker = take(), take(), take(), take()
  local action, delay = take(), taken()
  local fields, entry = takelist(), takelist()
  local counter, timed, reason = take(), take() == '1', take()
  local labels, conditions, effects = takelist(), takeconditions(), takeeffects()
  local member = j .. ':' .. e

  if not r('ZSCORE', K.wip(q), member) then
    local before = r('HMGET', K.slot(worker), 'finished', 'finished_status', 'finished_next')
    if before and before[1] == member then
      return { 'ok', before[2] or '', tonumber(before[3] or '0') or 0, get(j, 'ended_at') or '' }
    end
    w('HINCRBY', K.late, q, '1')
    return { 'late' }
  end
  if (r('HLEN', K.job(j)) or 0) == 0 then
    -- The job was deleted while it ran: leave nothing of it behind.
    w('HINCRBY', K.late, q, '1')
    unexecute(j, e, q)
    idle(worker, member)
    return { 'late' }
  end
  local refused = broken(conditions)
  if refused then
    return refused
  end
  decide(effects)

  local began = nonempty(r('HGET', K.execution(j, e), 'created_at')) or float()
  local seconds = math.max(sec + usec / 1000000 - (tonumber(began) or sec), 0)
  local from = get(j, 'status') or 'created'
  local to = ({ finished = 'finished', failed = 'failed', stopped = 'stopped', schedule = 'scheduled' })[action] or 'queued'
  event({ 'job', j, 'queue', q, 'execution', e, 'worker', worker, 'from', from, 'to', to, 'reason', reason,
    'ms', int(seconds * 1000) }, labels)
  claimkeys(conditions)

  w('HSET', K.job(j), 'ended_at', iso(), 'last_heartbeat', iso(), unpack(fields))
  unexecute(j, e, q)
  if #entry > 0 then
    for _, v in ipairs({ 'worker_name', worker, 'execution_id', e, 'execution_started_at',
      began, 'execution_ended_at', float() }) do
      entry[#entry + 1] = v
    end
  end
  local status, when = settle(j, q, action, entry, delay)
  if to == 'finished' or to == 'failed' or to == 'stopped' then
    w('HDEL', K.recovered, j)
  end
  apply(effects)

  if counter ~= '' then
    w('HINCRBY', K.worker(worker), counter .. '_job_count', '1')
  end
  if timed then
    w('HINCRBYFLOAT', K.worker(worker), 'total_working_time', string.format('%.6f', seconds))
  end
  idle(worker, member)
  w('HSET', K.slot(worker), 'finished', member, 'finished_status', status, 'finished_next', int(when))
  w('EXPIRE', K.slot(worker), '86400')
  return { 'ok', status, when, iso() }
end

return run(main)
