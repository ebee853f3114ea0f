-- claim: takes at most one job per free worker slot from queues in priority
-- order, and starts it: what RQ does in dequeue, prepare_execution,
-- prepare_job_execution and Job.perform.
--
-- KEYS  rq:suspended, then per queue its list, rq:wip and lease
-- ARGV  after the prelude's: limit in bytes above which a field of the job is
--       not loaded; list of queue names; number of slots, then per slot its
--       worker name and the execution id to use
-- Reply { 'suspended' }
--    or { 'claimed', jobs, dropped, unreadable queues, first dropped ids }
--       where a job is { worker, execution, queue, id, hash as flat list,
--       fields left out }, and of an id there are at most 64 bytes
--
-- Repeated with the same execution id after a lost reply, a slot is given the
-- job that it was given before, also while workers are suspended.

local function main()
  local limit, queues, nslots = taken(), takelist(), taken()
  local suspended = r('EXISTS', K.suspended) == 1
  local dropped, bad, jobs = 0, {}, {}
  local names = {}

  -- peek answers the next startable id of a queue, still in its list. An entry
  -- whose job is gone, or is in any state but waiting to start, is dropped and
  -- counted, so that a second entry never starts a job twice.
  local function peek(q)
    if not is(K.queue(q), 'list') then
      bad[#bad + 1] = q
      return nil
    end
    while dropped < 1000 do
      local j = r('LINDEX', K.queue(q), '0')
      if not j then
        return nil
      end
      local s = get(j, 'status')
      if (r('HLEN', K.job(j)) or 0) > 0 and (not s or s == 'queued' or s == 'created') then
        return j
      end
      dropped = dropped + 1
      if dropped <= 10 then
        names[dropped] = string.sub(j, 1, 64)
      end
      w('HINCRBY', K.dropped, q, '1')
      w('LPOP', K.queue(q))
    end
    return nil
  end

  -- start starts the job that peek found in the list of queue from. All else
  -- goes by the job's own queue, as in RQ: another tool may have pushed it onto
  -- another one, and whoever cancels it looks at its own.
  local function start(j, from, e, worker)
    local q = get(j, 'origin') or from
    local member = j .. ':' .. e
    local timeout = getnumber(j, 'timeout') or 180
    local ttl = (timeout > 0 and math.min(math.floor(timeout), 30) or 30) + 60
    local now, ts = iso(), float()
    local status = get(j, 'status') or 'created'
    event({ 'job', j, 'queue', q, 'execution', e, 'worker', worker, 'from', status, 'to', 'started',
      'reason', 'claimed' })
    w('LPOP', K.queue(from))
    w('HSET', K.execution(j, e), 'id', e, 'created_at', ts, 'last_heartbeat', ts, 'worker_name', worker)
    w('EXPIRE', K.execution(j, e), int(ttl))
    w('ZADD', K.executions(j), int(sec + ttl + 60), e)
    w('EXPIRE', K.executions(j), int(ttl + 60))
    w('ZADD', K.wip(q), int(sec + ttl), member)
    w('ZADD', K.lease(q), int(now_ms + LEASE), member)
    w('HSET', K.worker(worker), 'state', 'busy', 'current_job', j, 'current_job_working_time', '0',
      'last_heartbeat', now)
    w('EXPIRE', K.worker(worker), int(ttl))
    w('HSET', K.slot(worker), 'execution', member, 'queue', q)
    w('EXPIRE', K.slot(worker), '86400')
    w('HSET', K.job(j), 'last_heartbeat', now, 'status', 'started', 'started_at', now, 'worker_name', worker)
    w('PERSIST', K.job(j))
    w('LREM', K.intermediate(from), '1', j)
    return q
  end

  -- held answers the job that this very execution id already holds.
  local function held(e, worker)
    local f = r('HMGET', K.slot(worker), 'execution', 'queue')
    local member, q = f and f[1], f and f[2]
    if not member or not q or string.sub(member, -#e - 1) ~= ':' .. e then
      return nil
    end
    if not r('ZSCORE', K.wip(q), member) then
      return nil
    end
    w('ZADD', K.lease(q), int(now_ms + LEASE), member)
    return string.sub(member, 1, -#e - 2), q
  end

  local function reply(worker, e, q, j)
    local hash, left = load(j, limit)
    jobs[#jobs + 1] = { worker, e, q, j, hash, left }
  end

  local from = 1
  for _ = 1, nslots do
    local worker, e = take(), take()
    local j, q = held(e, worker)
    if j then
      reply(worker, e, q, j)
    else
      while not suspended and from <= #queues do
        q = queues[from]
        j = peek(q)
        if j then
          break
        end
        from = from + 1
      end
      if j then
        reply(worker, e, start(j, q, e, worker), j)
      end
    end
  end
  if suspended and #jobs == 0 then
    return { 'suspended' }
  end
  return { 'claimed', jobs, dropped, bad, names }
end

return run(main)
