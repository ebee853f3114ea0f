-- recover: takes one job from an execution whose worker is gone.
--
-- KEYS  job hash, rq:wip and lease of the queue
-- ARGV  after the prelude's: "lease" or "wip", see expired.lua; the member of
--       that zset; job, execution, queue; deaths counted so far that the caller read; action
--       and delay as settle takes them; list of fields and values to set in
--       the job hash; list of fields and values of the result entry; 1 to
--       count a death; reason; list of event labels; effects
-- Reply { 'ok', status, unix second of the next attempt or 0 }
--    or { 'alive' } the lease was renewed, or somebody else took the job
--    or { 'gone' } there is no such job, or it is not started; only the
--       execution was removed

-- dead reports whether the execution may be taken, at this moment.
local function dead(mode, member, q)
  local lease = tonumber(r('ZSCORE', K.lease(q), member) or '')
  if mode == 'lease' then
    return lease ~= nil and lease <= now_ms
  end
  local score = tonumber(r('ZSCORE', K.wip(q), member) or '')
  return lease == nil and score ~= nil and score >= 0 and score <= sec
end

local function main()
  local mode, member, j, e, q, deaths = take(), take(), take(), take(), take(), taken()
  local action, delay = take(), taken()
  local fields, entry = takelist(), takelist()
  local count, reason = take() == '1', take()
  local labels, effects = takelist(), takeeffects()

  if not dead(mode, member, q) or (tonumber(r('HGET', K.recovered, j) or '') or 0) ~= deaths then
    return { 'alive' }
  end
  local held = r('ZSCORE', K.wip(q), member)
  if not held or get(j, 'status') ~= 'started' then
    w('ZREM', K.wip(q), member)
    w('ZREM', K.lease(q), member)
    unexecute(j, e, q)
    return { 'gone' }
  end
  decide(effects)
  local to = ({ failed = 'failed', schedule = 'scheduled' })[action] or 'queued'
  local worker = get(j, 'worker_name') or ''
  event({ 'job', j, 'queue', q, 'execution', e, 'worker', worker, 'from', 'started', 'to', to, 'reason', reason }, labels)
  if count then
    w('HSET', K.recovered, j, int(deaths + 1))
  end
  if #fields > 0 then
    w('HSET', K.job(j), unpack(fields))
  end
  w('ZREM', K.wip(q), member)
  if mode == 'lease' then
    unexecute(j, e, q)
    if r('HGET', K.slot(worker), 'execution') == member then
      w('HDEL', K.slot(worker), 'execution', 'queue')
    end
  end
  local status, when = settle(j, q, action, entry, delay)
  if to == 'failed' then
    w('HDEL', K.recovered, j)
  end
  apply(effects)
  w('HINCRBY', K.recoveries, q, '1')
  if count then
    w('HINCRBY', K.deaths, q, '1')
  end
  return { 'ok', status, when }
end

return run(main)
