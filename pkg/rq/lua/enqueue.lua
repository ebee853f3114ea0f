-- enqueue: puts new jobs on their queues, into rq:scheduled, or into
-- rq:deferred while one of the jobs they depend on exists and has not finished.
--
-- KEYS  rq:queues, then per job its hash and its queue's list
-- ARGV  after the prelude's: token of this call; number of jobs, then per job
--       its id, queue, unique rule "", "active" or "any"; unix second to run
--       at or "" for at once; 1 for the front; time to live in seconds or "";
--       list of jobs it depends on; list of hash fields and values; reason; list of event labels;
--       conditions; effects
-- Reply one entry per job:
--       { 'ok', status }
--       { 'active', hash as flat list, fields left out }
--       { 'condition', index, key, found }
--       { 'type', key } the key is there with another type
-- A job that this call enqueued before (its reply was lost) is { 'ok', ... } too.

local final = { finished = true, failed = true, stopped = true, canceled = true }

-- forget takes a final job of that id out of the registries, so that the new
-- one, for queue to, does not inherit its fields or its time to live; nor, when
-- another tool has deleted its hash, the deaths of its workers, nor one that
-- still runs it and would end the new one.
local function forget(j, to)
  local q = get(j, 'origin') or to
  for _, key in ipairs({ K.finished(q), K.failed(q), K.canceled(q) }) do
    w('ZREM', key, j)
  end
  for _, e in ipairs(r('ZRANGE', K.executions(j), '0', '-1') or {}) do
    unexecute(j, e, q)
  end
  w('DEL', K.job(j))
  w('HDEL', K.recovered, j)
end

-- unmet reports whether a job must wait for one of its parents (rq/queue.py,
-- setup_dependencies). Missing ones count as finished.
local function unmet(parents)
  for _, p in ipairs(parents) do
    if (r('HLEN', K.job(p)) or 0) > 0 and get(p, 'status') ~= 'finished' then
      return true
    end
  end
  return false
end

-- defer registers j with all its parents (rq/job.py, register_dependency).
local function defer(j, q, parents)
  w('ZADD', K.deferred(q), int(sec), j)
  for _, p in ipairs(parents) do
    w('SADD', K.dependents(p), j)
    w('SADD', K.dependencies(j), p)
  end
end

local function put(token, s)
  if not is(K.job(s.id), 'hash') then
    return { 'type', K.job(s.id) }
  end
  if not is(K.queue(s.queue), 'list') then
    return { 'type', K.queue(s.queue) }
  end
  local exists = r('EXISTS', K.job(s.id)) == 1
  local status = get(s.id, 'status')
  if exists and (s.unique == 'any' or (s.unique == 'active' and not final[status or ''])) then
    local hash, left = load(s.id, 65536)
    return { 'active', hash, left }
  end
  local refused = broken(s.conditions)
  if refused then
    return refused
  end
  decide(s.effects)

  local to = s.when ~= '' and 'scheduled' or unmet(s.parents) and 'deferred' or 'queued'
  event({ 'job', s.id, 'queue', s.queue, 'from', status or '', 'to', to, 'reason', s.reason }, s.labels)
  receipt(token)
  claimkeys(s.conditions)
  if s.unique == 'active' then
    forget(s.id, s.queue)
  end
  w('SADD', K.queues, K.queue(s.queue))
  if to == 'queued' then
    s.fields[#s.fields + 1] = 'enqueued_at'
    s.fields[#s.fields + 1] = iso()
  end
  w('HSET', K.job(s.id), 'status', to, unpack(s.fields))
  if to == 'deferred' then
    defer(s.id, s.queue, s.parents)
  end
  if s.ttl ~= '' then
    expire(s.id, tonumber(s.ttl))
  end
  if to == 'scheduled' then
    w('ZADD', K.scheduled(s.queue), s.when, s.id)
  elseif to == 'queued' then
    w(s.front and 'LPUSH' or 'RPUSH', K.queue(s.queue), s.id)
  end
  apply(s.effects)
  return { 'ok', to }
end

local function main()
  local token, n = take(), taken()
  local replies = {}
  for i = 1, n do
    local s = { id = take(), queue = take(), unique = take(), when = take(), front = take() == '1', ttl = take(),
      parents = takelist(), fields = takelist(), reason = take(), labels = takelist(), conditions = takeconditions(),
      effects = takeeffects() }
    local mine = token .. ':' .. i
    replies[i] = done(mine) and { 'ok', get(s.id, 'status') or '' } or put(mine, s)
  end
  return replies
end

return run(main)
