-- empty: takes entries out of a queue and deletes their jobs (rq/queue.py,
-- Queue.empty), with the effects that the caller computed from what it read.
--
-- KEYS  the queue's list
-- ARGV  after the prelude's: token of this call; queue; number of entries,
--       then per entry its job; status that the caller read; list of event
--       labels; effects
-- Reply per entry
--       'removed' the job is deleted, also when the call was repeated
--       'dropped' only the entry: no waiting job stood behind it
--       'changed' nothing: the entry is gone or the status is another now
--
-- As RQ does it, the hash and its dependents go, and nothing else of the job.
-- Unlike RQ, a job of any status but those that claim starts keeps its hash: a
-- second entry must not delete a job that runs.

-- take1 takes one entry of j out of the list, usually the first.
local function take1(q, j)
  if r('LINDEX', K.queue(q), '0') == j then
    return w('LPOP', K.queue(q))
  end
  return (w('LREM', K.queue(q), '1', j) or 0) > 0
end

local function remove(token, q, j, status, labels, effects)
  if done(token) then
    return 'removed'
  end
  local exists = (r('HLEN', K.job(j)) or 0) > 0
  if (get(j, 'status') or '') ~= status then
    return 'changed'
  end
  if not exists or not (status == '' or status == 'queued' or status == 'created') then
    if not take1(q, j) then
      return 'changed'
    end
    if not exists then
      w('DEL', K.dependents(j))
    end
    return 'dropped'
  end
  if r('LPOS', K.queue(q), j) == nil then
    return 'changed'
  end
  decide(effects)
  event({ 'job', j, 'queue', q, 'from', status, 'to', 'canceled', 'reason', 'emptied' }, labels)
  receipt(token)
  take1(q, j)
  w('DEL', K.job(j), K.dependents(j))
  w('HDEL', K.recovered, j)
  apply(effects)
  return 'removed'
end

local function main()
  local token, q, n = take(), take(), taken()
  local replies = {}
  full()
  for i = 1, n do
    local j, status, labels, effects = take(), take(), takelist(), takeeffects()
    replies[i] = remove(token .. ':' .. i, q, j, status, labels, effects)
  end
  return replies
end

return run(main)
