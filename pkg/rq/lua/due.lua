-- due: moves scheduled jobs whose time has come onto their queue, while the
-- caller owns or can take RQ's scheduler lock (rq/scheduler.py; lock protocol
-- of RQ >= 2.11: taken when absent, refreshed when ours, left alone otherwise).
-- The lock lasts 61 s, which is long to wait for when its holder was killed.
-- So each of docsvc's schedulers has a lease besides, and the lock of one whose
-- lease has run out is taken over; Python's have none and are waited for.
--
-- KEYS  rq:scheduler-lock, rq:scheduled, the queue's list, rq:scheduler hash,
--       leases of docsvc's schedulers
-- ARGV  after the prelude's: queue; scheduler name; unix second up to which
--       jobs are due, "" for the server's time; at most how many; list of
--       fields and values of the rq:scheduler hash
-- Reply { 'taken' } another scheduler has the queue
--    or { 'ok', moved, score of the next one or "", 1 when there are more due }
--
-- An id without a hash is left for a minute after its time, because RQ's
-- enqueue_at writes the entry before the hash.

-- gone reports whether a scheduler is one of docsvc's that gives no sign of
-- life any more.
local function gone(owner)
  local lease = tonumber(r('ZSCORE', K.schedulers, owner) or '')
  return lease ~= nil and lease <= now_ms
end

local function main()
  local q, name, upto, limit, fields = take(), take(), take(), taken(), takelist()
  local now = tonumber(upto) or sec
  local owner = r('GET', K.scheduler_lock(q))
  if owner and owner ~= name and not gone(owner) then
    return { 'taken' }
  end
  if owner then
    w('SET', K.scheduler_lock(q), name, 'EX', '61')
  elseif not w('SET', K.scheduler_lock(q), name, 'EX', '61', 'NX') then
    return { 'taken' }
  end
  w('ZADD', K.schedulers, int(now_ms + LEASE), name)
  w('ZREMRANGEBYSCORE', K.schedulers, '-inf', int(now_ms - 120000)) -- no lock lasts so long
  w('HSET', K.scheduler(name), 'last_heartbeat', iso(), unpack(fields))
  w('EXPIRE', K.scheduler(name), '61')

  local moved = 0
  local ids = r('ZRANGEBYSCORE', K.scheduled(q), '0', int(now), 'WITHSCORES', 'LIMIT', '0', int(limit)) or {}
  for i = 1, #ids, 2 do
    local j, score = ids[i], tonumber(ids[i + 1]) or 0
    local status = get(j, 'status')
    if (r('HLEN', K.job(j)) or 0) == 0 then
      if now - score > 60 then
        w('ZREM', K.scheduled(q), j)
      end
    elseif status and status ~= 'scheduled' then
      w('ZREM', K.scheduled(q), j)
    else
      event({ 'job', j, 'queue', q, 'from', 'scheduled', 'to', 'queued', 'reason', 'due' })
      w('ZREM', K.scheduled(q), j)
      local again = get(j, 'enqueue_at_front_on_retry') == '1' and get(j, 'ended_at')
      enqueue(j, q, again or get(j, 'enqueue_at_front') == '1')
      moved = moved + 1
    end
  end
  local first = r('ZRANGEBYSCORE', K.scheduled(q), '(' .. int(now), '+inf', 'WITHSCORES', 'LIMIT', '0', '1') or {}
  return { 'ok', moved, first[2] or '', #ids == limit * 2 and 1 or 0 }
end

return run(main)
