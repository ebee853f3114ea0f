-- inspect: counts queues. Only reads; entries that RQ's own tools would clean
-- away before counting (finished and failed ones that have expired) are left
-- out of the count instead.
--
-- KEYS  per queue its list and registries
-- ARGV  after the prelude's: list of queue names
-- Reply per queue { length, failed, started, finished, deferred, scheduled,
--         canceled, live workers, enqueued_at or created_at of the first ten
--         entries }

-- unexpired counts what ZREMRANGEBYSCORE 0 now would leave.
local function unexpired(key)
  return (r('ZCOUNT', key, '(' .. int(sec), '+inf') or 0) + (r('ZCOUNT', key, '-inf', '(0') or 0)
end

-- live counts the workers listening to q whose key exists and whose lease,
-- where docsvc registered them, holds.
local function live(q)
  local n = 0
  for _, key in ipairs(r('SMEMBERS', K.workers_of(q)) or {}) do
    local name = string.match(key, '^rq:worker:(.*)$')
    if name and r('EXISTS', key) == 1 then
      local lease = tonumber(r('HGET', K.slot(name), 'lease') or '')
      if not lease or lease > now_ms then
        n = n + 1
      end
    end
  end
  return n
end

local function main()
  local replies = {}
  for i, q in ipairs(takelist()) do
    local times = {}
    for _, j in ipairs(r('LRANGE', K.queue(q), '0', '9') or {}) do
      times[#times + 1] = get(j, 'enqueued_at') or get(j, 'created_at')
    end
    replies[i] = { r('LLEN', K.queue(q)) or 0, unexpired(K.failed(q)), r('ZCARD', K.wip(q)) or 0,
      unexpired(K.finished(q)), r('ZCARD', K.deferred(q)) or 0, r('ZCARD', K.scheduled(q)) or 0,
      r('ZCARD', K.canceled(q)) or 0, live(q), times }
  end
  return replies
end

return run(main)
