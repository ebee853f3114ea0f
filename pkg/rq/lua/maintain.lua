-- maintain: RQ's registry cleanup of one queue, without its abandoned
-- executions (those need effects; see expired.lua and recover.lua).
--
-- KEYS  rq:finished, rq:failed, rq:workers, rq:workers of the queue, its
--       intermediate list, its list
-- ARGV  after the prelude's: queue
-- Reply { finished expired, failed expired, workers gone, pushed back,
--         dangling }
--
-- An id in the intermediate list belongs to a Python worker between taking
-- and starting it. As in RQ it counts as stuck when it is seen again after
-- 60 s and no execution has it; RQ then fails it, we put it back to the head,
-- since it was never started. One that is a left-over of an earlier life of its
-- job, which waits in the list or has another queue by now, is only removed: a
-- Python worker would run the job once for every entry. And a job that was put
-- on its queue since it was seen is seen for the first time: RQ leaves the mark
-- of one that began in the meantime for a day.

-- running reports whether an execution of j is in rq:wip.
local function running(j, q)
  for _, e in ipairs(r('ZRANGE', K.executions(j), '0', '-1') or {}) do
    if r('ZSCORE', K.wip(q), j .. ':' .. e) then
      return true
    end
  end
  return false
end

-- waits reports whether j stands in the list of q, near one of its ends: Redis
-- answers nobody while it walks through a long list.
local function waits(j, q)
  return r('LPOS', K.queue(q), j, 'MAXLEN', '10000') or r('LPOS', K.queue(q), j, 'RANK', '-1', 'MAXLEN', '10000')
end

-- again reports whether j was put on its queue since it was seen, unix seconds:
-- then another entry of it was seen. A time to come is of a wrong clock.
local function again(j, seen)
  local enqueued = get(j, 'enqueued_at') or ''
  return enqueued > iso(math.floor(seen), math.floor(seen % 1 * 1000000)) and enqueued <= iso()
end

local function workers(q)
  local gone = 0
  for _, key in ipairs(r('SMEMBERS', K.workers_of(q)) or {}) do
    if r('EXISTS', key) == 0 then
      w('SREM', K.workers_of(q), key)
      w('SREM', K.workers, key)
      gone = gone + 1
    end
  end
  return gone
end

local function intermediate(q)
  local pushed, dangling = 0, 0
  for _, j in ipairs(r('LRANGE', K.intermediate(q), '0', '199') or {}) do
    local status = get(j, 'status') or 'created'
    if running(j, q) then
      -- a Python worker on several queues leaves it there while it runs
    elseif (r('HLEN', K.job(j)) or 0) == 0 then
      w('LREM', K.intermediate(q), '1', j)
      w('DEL', K.first_seen(q, j))
      dangling = dangling + 1
    elseif not w('SET', K.first_seen(q, j), float(), 'NX', 'EX', '86400') then
      local seen = number(r('GET', K.first_seen(q, j))) or sec
      if again(j, seen) then
        w('SET', K.first_seen(q, j), float(), 'EX', '86400')
      elseif sec - seen > 60 then
        local fresh = status == 'queued' or status == 'created'
        if fresh and (get(j, 'origin') or q) == q and not waits(j, q) then
          event({ 'job', j, 'queue', q, 'from', status, 'to', 'queued', 'reason', 'intermediate' })
          enqueue(j, q, true)
          pushed = pushed + 1
        else
          dangling = dangling + 1
        end
        w('LREM', K.intermediate(q), '1', j)
        w('DEL', K.first_seen(q, j))
      end
    end
  end
  return pushed, dangling
end

local function main()
  local q = take()
  local finished = w('ZREMRANGEBYSCORE', K.finished(q), '0', int(sec)) or 0
  local expired = w('ZREMRANGEBYSCORE', K.failed(q), '0', int(sec)) or 0
  local gone = workers(q)
  local pushed, dangling = intermediate(q)
  return { finished, expired, gone, pushed, dangling }
end

return run(main)
