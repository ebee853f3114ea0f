-- heartbeat: signs of life of all worker slots and executions of a process.
--
-- KEYS  none: only the tape knows how many there are
-- ARGV  after the prelude's: token of the process; number of workers, then per
--       worker its name, rss in bytes, cpu in cores, 1 when it runs a job;
--       number of executions, then per execution job, id, queue, worker,
--       timeout in seconds (<= 0 none), seconds worked, unix seconds when it
--       was claimed (only used when its hash has expired)
-- Reply { list of job:execution that no longer hold their job,
--         list of worker names whose RQ hash had expired, or that this
--         process has back,
--         list of worker names that another process has taken }
--
-- A name that stands under another process is this one's again when the other
-- gives no sign of life: it died, or Redis has lost what it wrote last (a
-- failover, a power failure) and with it that this process has the name. So is
-- one that stands under none: Redis has lost that it was ever given.

local function main()
  local token = take()
  local lost, expired, taken_over = {}, {}, {}
  full()
  pulse()

  for _ = 1, taken() do
    local worker, rss, cpu, busy = take(), take(), take(), take() == '1'
    local slot = r('HMGET', K.slot(worker), 'token', 'lease')
    local ours = not slot or slot[1] == token -- a key that is no hash is left alone
    if not ours and (tonumber(slot[2] or '') or 0) > now_ms then
      taken_over[#taken_over + 1] = worker
    else
      if not ours then
        w('HSET', K.slot(worker), 'token', token)
        expired[#expired + 1] = worker
      end
      w('HSET', K.slot(worker), 'rss', rss, 'cpu', cpu, 'lease', int(now_ms + LEASE))
      w('EXPIRE', K.slot(worker), '86400')
      if w('HSET', K.worker(worker), 'last_heartbeat', iso()) == 1 then
        if ours then
          expired[#expired + 1] = worker
        end
        w('HSET', K.worker(worker), 'state', busy and 'busy' or 'idle')
      end
      w('EXPIRE', K.worker(worker), busy and '90' or '480')
    end
  end

  for _ = 1, taken() do
    local j, e, q, worker = take(), take(), take(), take()
    local timeout, working, began = taken(), take(), take()
    local member = j .. ':' .. e
    if not r('ZSCORE', K.wip(q), member) then
      lost[#lost + 1] = member
      w('ZREM', K.lease(q), member)
    elseif (r('HLEN', K.job(j)) or 0) == 0 then
      lost[#lost + 1] = member
      unexecute(j, e, q)
    else
      local ttl = 30
      if timeout > 0 then
        ttl = math.min(math.floor(timeout - tonumber(working)), 30)
      end
      ttl = math.max(ttl, 0) + 60
      if w('HSET', K.execution(j, e), 'last_heartbeat', float()) == 1 then
        w('HSET', K.execution(j, e), 'id', e, 'created_at', began, 'worker_name', worker)
      end
      w('EXPIRE', K.execution(j, e), int(ttl))
      w('ZADD', K.wip(q), int(sec + ttl), member)
      w('ZADD', K.executions(j), int(sec + ttl + 60), e)
      w('EXPIRE', K.executions(j), int(ttl + 60))
      w('HSET', K.job(j), 'last_heartbeat', iso())
      w('HSET', K.worker(worker), 'current_job', j, 'current_job_working_time', working)
      w('ZADD', K.lease(q), int(now_ms + LEASE), member)
    end
  end
  return { lost, expired, taken_over }
end

return run(main)
