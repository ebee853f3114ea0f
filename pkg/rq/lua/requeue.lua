-- requeue: puts a failed, stopped or canceled job back on its queue (rq/
-- registry.py, requeue).
--
-- KEYS  job hash, the queue's list, rq:failed and rq:canceled
-- ARGV  after the prelude's: token of this call; job; status and queue that
--       the caller read; 1 for the front; retries_left to set or ""; what RQ
--       writes into exc_info; list of event labels; conditions; effects
-- Reply { 'ok' } also when the call was repeated
--    or { 'none' } no such job
--    or { 'changed' } status or queue are others now: read again
--    or { 'type', key } the queue's key is no list
--    or { 'condition', index, key, found } nothing was written

local function main()
  local token, j, status, q = take(), take(), take(), take()
  local front, retries, exc_info = take() == '1', take(), take()
  local labels, conditions, effects = takelist(), takeconditions(), takeeffects()
  local early = unasked(token, j, status, q)
  if early then
    return early
  end
  if not is(K.queue(q), 'list') then
    return { 'type', K.queue(q) }
  end
  local refused = broken(conditions)
  if refused then
    return refused
  end
  decide(effects)
  event({ 'job', j, 'queue', q, 'from', status, 'to', 'queued', 'reason', 'requeued' }, labels)
  receipt(token)
  claimkeys(conditions)
  w('HSET', K.job(j), 'started_at', '', 'ended_at', '', 'exc_info', exc_info)
  if retries ~= '' then
    w('HSET', K.job(j), 'retries_left', retries)
  end
  w('ZREM', K.failed(q), j)
  w('ZREM', K.canceled(q), j)
  w('HDEL', K.recovered, j)
  w('SADD', K.queues, K.queue(q))
  -- A failed job keeps its time to live until it runs, as in RQ, but starts it
  -- anew: a requeued job must not vanish in a long queue.
  local named = getnumber(j, 'failure_ttl') or 31536000
  for _, key in ipairs({ K.job(j), K.dependents(j), K.dependencies(j) }) do
    if named > 0 and r('TTL', key) >= 0 then -- 0: less than a second
      w('EXPIRE', key, int(named))
    end
  end
  enqueue(j, q, front)
  apply(effects)
  return { 'ok' }
end

return run(main)
