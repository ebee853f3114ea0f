-- What scripts that move jobs share: reading a job hash of any size, putting
-- jobs on queues, ending executions, results, dependents.

-- Fields that may be large.
local LARGE = { 'data', 'meta', 'result', 'exc_info', 'description', 'webhooks' }

-- All fields RQ 2.12 writes, for hashes with absurdly many others.
local FIELDS = { 'created_at', 'data', 'success_callback_name', 'failure_callback_name', 'stopped_callback_name',
  'started_at', 'ended_at', 'last_heartbeat', 'worker_name', 'group_id', 'number_of_retries', 'retries_left',
  'retry_intervals', 'enqueue_at_front_on_retry', 'origin', 'description', 'enqueued_at', 'repeats_left',
  'repeat_intervals', 'result', 'exc_info', 'timeout', 'success_callback_timeout', 'failure_callback_timeout',
  'stopped_callback_timeout', 'webhooks', 'result_ttl', 'failure_ttl', 'status', 'dependency_id', 'dependency_ids',
  'meta', 'ttl', 'allow_dependency_failures', 'enqueue_at_front' }

-- load answers a job hash as a flat list without its fields longer than limit
-- bytes, those that are not to be large than 1 MiB or limit, and the names of
-- those left out. A key that is no hash is empty.
local function load(j, limit)
  local key, left, skip = K.job(j), {}, {}
  for _, f in ipairs(LARGE) do
    if (r('HSTRLEN', key, f) or 0) > limit then
      left[#left + 1] = f
      skip[f] = true
    end
  end
  local many = (r('HLEN', key) or 0) > 500
  local names, values = {}, nil
  if #left == 0 and not many then
    local all = r('HGETALL', key) or {}
    values = {}
    for i = 1, #all, 2 do
      names[#names + 1], values[#values + 1] = all[i], all[i + 1]
    end
  else
    for _, f in ipairs(many and FIELDS or r('HKEYS', key) or {}) do
      if not skip[f] then
        names[#names + 1] = f
      end
    end
    values = r('HMGET', key, unpack(names)) or {}
  end
  local flat, most = {}, math.max(limit, 1048576)
  for i, f in ipairs(names) do
    local v = values[i]
    if v and #v > most then
      left[#left + 1] = f
    elseif v then
      flat[#flat + 1] = f
      flat[#flat + 1] = v
    end
  end
  return flat, left
end

local function get(j, field)
  return nonempty(r('HGET', K.job(j), field))
end

-- number answers a number that can be counted with, so neither "nan" nor
-- "inf", which Lua reads too.
local function number(text)
  local n = tonumber(text or '')
  return n and n > -1e15 and n < 1e15 and n or nil
end

local function getnumber(j, field)
  return number(get(j, field))
end

-- expire gives the three keys of a job a time to live (rq/job.py, cleanup).
local function expire(j, ttl)
  w('EXPIRE', K.job(j), int(ttl))
  w('EXPIRE', K.dependents(j), int(ttl))
  w('EXPIRE', K.dependencies(j), int(ttl))
end

-- delete removes a job as Job.delete does; its results stay.
local function delete(j, q)
  local group = get(j, 'group_id')
  for _, e in ipairs(r('ZRANGE', K.executions(j), '0', '-1') or {}) do
    w('DEL', K.execution(j, e))
    w('ZREM', K.wip(q), j .. ':' .. e)
    w('ZREM', K.lease(q), j .. ':' .. e)
  end
  w('DEL', K.executions(j))
  if group then
    w('SREM', K.group(group), j)
  end
  w('DEL', K.job(j), K.dependents(j), K.dependencies(j))
end

-- schedule puts j into rq:scheduled at unix second when.
local function schedule(j, q, when)
  w('SADD', K.queues, K.queue(q))
  w('HSET', K.job(j), 'status', 'scheduled')
  w('ZADD', K.scheduled(q), int(when), j)
  local ttl = getnumber(j, 'ttl')
  if ttl and ttl > 0 then
    expire(j, ttl)
  end
  return 'scheduled', when
end

-- enqueue puts j on its queue (rq/queue.py, _enqueue_job). Where the queue's
-- key is no list the job is scheduled in a minute instead of being lost.
local function enqueue(j, q, front)
  w('HSET', K.job(j), 'status', 'queued', 'enqueued_at', iso())
  local had = r('HMGET', K.job(j), 'timeout', 'ttl') or {}
  if not nonempty(had[1]) then
    w('HSET', K.job(j), 'timeout', '180')
  end
  local ttl = number(nonempty(had[2]))
  if ttl and ttl > 0 then
    expire(j, ttl)
  end
  if w(front and 'LPUSH' or 'RPUSH', K.queue(q), j) then
    return 'queued', 0
  end
  return schedule(j, q, sec + 60)
end

-- unexecute removes every trace of an execution.
local function unexecute(j, e, q)
  w('DEL', K.execution(j, e))
  w('ZREM', K.wip(q), j .. ':' .. e)
  w('ZREM', K.lease(q), j .. ':' .. e)
  w('ZREM', K.executions(j), e)
end

-- tellstop sends RQ's stop-job command (rq/command.py, send_stop_job_command)
-- and answers how many listened on the worker's channel. That it may not be sent
-- is an error only where sending it is all there is to do: the heartbeat tells
-- a worker of ours, too.
local function tellstop(worker, j)
  local heard = redis.pcall('PUBLISH', K.pubsub(worker), '{"command": "stop-job", "job_id": ' .. cjson.encode(j) .. '}')
  local err = failed(heard)
  if err and not written then
    forbid(err, 'PUBLISH', K.pubsub(worker))
  end
  return heard
end

-- result appends to the results stream. The first entry of a stream is built
-- in a scratch key and copied, which packs it tightly (0.4 KB, not 4.3 KB);
-- where there is a stream already, or COPY is refused, it is added in place.
local function result(j, fields)
  local key, scratch = K.results(j), K.scratch(j)
  w('XADD', scratch, '*', unpack(fields))
  local copied = redis.pcall('COPY', scratch, key)
  redis.pcall('DEL', scratch)
  if copied ~= 1 then
    w('XADD', key, 'MAXLEN', '10', '*', unpack(fields))
  end
end

-- met reports whether child may run as far as its dependencies other than
-- parent go. Missing parents count as met, as in RQ. It reads no further than
-- the first that is not: a child of many parents is looked at as each one ends.
local function met(child, parent, tolerant)
  local cursor = '0'
  repeat
    local page = r('SSCAN', K.dependencies(child), cursor, 'COUNT', '100') or { '0', {} }
    for _, p in ipairs(page[2]) do
      if p ~= parent then
        local s = get(p, 'status')
        if s and s ~= 'finished' and not (tolerant and s == 'failed') then
          return false
        end
      end
    end
    cursor = page[1]
  until cursor == '0'
  return true
end

-- release enqueues one deferred child, onto queue q, and says so.
local function release(child, q, front)
  event({ 'job', child, 'queue', q, 'from', 'deferred', 'to', 'queued', 'reason', 'dependency_met' })
  w('ZREM', K.deferred(q), child)
  enqueue(child, q, front)
end

-- freed reports whether child waited, and was released as what it waits for is
-- met; parent is then finished or failed, or nil when none has just ended.
local function freed(child, parent, status)
  local had = r('HMGET', K.job(child), 'status', 'origin', 'allow_dependency_failures', 'enqueue_at_front') or {}
  local q, tolerant = nonempty(had[2]), had[3] == '1'
  if had[1] ~= 'deferred' or not q then
    return false
  end
  local allowed = not parent or status == 'finished' or tolerant
  if not allowed or not met(child, parent, tolerant) then
    return false
  end
  release(child, q, had[4] == '1')
  return true
end

-- dependents enqueues the children of parent, which is now of the status
-- (rq/queue.py, enqueue_dependents; rq/job.py, dependencies_are_met). Only
-- children that are still deferred are taken: RQ would queue one again whose
-- parent is run twice. Redis answers nobody else meanwhile, so that each child
-- costs as few commands as it can.
local function dependents(parent, status)
  for _, child in ipairs(r('SMEMBERS', K.dependents(parent)) or {}) do
    if freed(child, parent, status) then
      w('SREM', K.dependents(parent), child)
    end
  end
end

-- repeated enqueues a finished job again that has repeats left (rq/repeat.py):
-- the intervals are used from the end backwards, the last one when there are
-- not enough.
local function repeated(j, q)
  local left = getnumber(j, 'repeats_left')
  if not left or left <= 0 then
    return nil
  end
  local _, intervals = pcall(cjson.decode, get(j, 'repeat_intervals') or '')
  if type(intervals) ~= 'table' then
    intervals = {}
  end
  local interval = tonumber(intervals[left] or intervals[#intervals] or 0) or 0
  event({ 'job', j, 'queue', q, 'from', 'finished', 'to', interval > 0 and 'scheduled' or 'queued',
    'reason', 'repeat' })
  w('HSET', K.job(j), 'repeats_left', int(left - 1))
  if interval > 0 then
    return schedule(j, q, sec + interval)
  end
  return enqueue(j, q, false)
end

-- succeed makes j finished: result, registry, time to live by result_ttl
-- (default 500 s, 0 deletes the job, -1 keeps it for ever).
local function succeed(j, q, fields)
  local ttl = getnumber(j, 'result_ttl') or 500
  w('HSET', K.job(j), 'status', 'finished')
  if ttl ~= 0 then
    result(j, fields)
    if ttl == -1 then
      w('PERSIST', K.results(j))
    else
      w('EXPIRE', K.results(j), int(ttl))
    end
    local score = ttl > 0 and int(sec + ttl) or ttl == -1 and '+inf' or int(ttl)
    w('ZADD', K.finished(q), score, j)
  end
  dependents(j, 'finished')
  local status, when = repeated(j, q)
  if status then
    return status, when
  end
  if ttl == 0 then
    delete(j, q)
  elseif ttl > 0 then
    expire(j, ttl)
  end
  return 'finished', 0
end

-- failure appends to the results stream and gives it the time to live that the
-- job names for failures, if it does.
local function failure(j, named, fields)
  result(j, fields)
  if named == -1 then
    w('PERSIST', K.results(j))
  elseif named then
    w('EXPIRE', K.results(j), int(named))
  end
end

-- fail makes j failed or stopped: registry, result, time to live by
-- failure_ttl (default one year, 0 deletes the job, negative keeps it). As in
-- RQ the results stream only gets a time to live when the job names one.
local function fail(j, q, status, fields)
  local named = getnumber(j, 'failure_ttl')
  local ttl = named or 31536000
  w('HSET', K.job(j), 'status', status)
  w('ZADD', K.failed(q), int(ttl < 0 and ttl or sec + ttl), j)
  failure(j, named, fields)
  if status == 'failed' then
    dependents(j, 'failed')
  end
  if ttl == 0 then
    delete(j, q)
  elseif ttl > 0 then
    expire(j, ttl)
  end
  return status, 0
end

-- settle moves a job whose execution ended:
--   finished | failed | stopped   with fields as result entry
--   head | tail                   back to the queue
--   schedule                      back to the queue after delay seconds
-- For the last two fields are empty, unless the function returned a Retry.
-- Answers the status it now has and when it runs again (unix s, 0 for none).
local function settle(j, q, action, fields, delay)
  if action == 'finished' then
    return succeed(j, q, fields)
  elseif action == 'failed' or action == 'stopped' then
    return fail(j, q, action, fields)
  end
  if #fields > 0 then
    failure(j, getnumber(j, 'failure_ttl'), fields)
  end
  if action == 'schedule' then
    return schedule(j, q, sec + delay)
  end
  return enqueue(j, q, action == 'head')
end

-- idle makes a worker slot free again, as RQ does after a job. Its key then
-- lives as long as an idle RQ worker's.
local function idle(worker, member)
  w('HDEL', K.worker(worker), 'current_job')
  w('HSET', K.worker(worker), 'current_job_working_time', '0', 'state', 'idle', 'last_heartbeat', iso())
  w('EXPIRE', K.worker(worker), '480')
  if r('HGET', K.slot(worker), 'execution') == member then
    w('HDEL', K.slot(worker), 'execution', 'queue')
  end
end

-- unasked answers the reply of a transition that a caller decided on from what
-- it had read of a job, when there is nothing to do: it was done by the same
-- call before, the job is gone, or its status or queue are others now.
local function unasked(token, j, status, q)
  if done(token) then
    return { 'ok' }
  end
  if (r('HLEN', K.job(j)) or 0) == 0 then
    return { 'none' }
  end
  if (get(j, 'status') or '') ~= status or (get(j, 'origin') or '') ~= q then
    return { 'changed' }
  end
end
