-- fsck_look: what stands about jobs, each seen at one moment. Only reads.
--
-- KEYS  the job hashes
-- ARGV  after the prelude's: list of hash fields; list of job ids
-- Reply per job
--       {} there is no such key
--    or { type } the key is no hash
--    or { '', values of the fields, bytes of data or -1,
--         score in rq:scheduled of its origin, score in rq:deferred,
--         executions as { id, score in rq:wip } lists,
--         parents as { id, status } lists }
--
-- What a final job's registries hold is not looked at. Of a deferred job all
-- parents that its set or its dependency_ids name are given, at most 1000; the
-- status of a missing one is "", of one without the field "created".

local active = { queued = true, started = true, deferred = true, scheduled = true }

local function parents(j)
  local seen, list = {}, {}
  local function add(p)
    if type(p) == 'string' and not seen[p] and #list < 1000 then
      seen[p] = true
      local s = (r('HLEN', K.job(p)) or 0) > 0 and (get(p, 'status') or 'created') or ''
      list[#list + 1] = { p, s }
    end
  end
  for _, p in ipairs(r('SMEMBERS', K.dependencies(j)) or {}) do
    add(p)
  end
  local _, named = pcall(cjson.decode, get(j, 'dependency_ids') or '[]')
  if type(named) == 'table' then
    for _, p in ipairs(named) do
      add(p)
    end
  end
  return list
end

local function look(j, fields)
  local key = K.job(j)
  local values = redis.pcall('HMGET', key, unpack(fields))
  if failed(values) then
    return { r('TYPE', key) }
  end
  local status, q = get(j, 'status'), get(j, 'origin') or ''
  if not status and r('EXISTS', key) == 0 then
    return {}
  end
  local data = r('HEXISTS', key, 'data') == 1 and r('HSTRLEN', key, 'data') or -1
  if not active[status or ''] then
    return { '', values, data, false, false, {}, {} }
  end
  local executions = {}
  for _, e in ipairs(r('ZRANGE', K.executions(j), '0', '99') or {}) do
    executions[#executions + 1] = { e, r('ZSCORE', K.wip(q), j .. ':' .. e) or false }
  end
  return { '', values, data, r('ZSCORE', K.scheduled(q), j) or false, r('ZSCORE', K.deferred(q), j) or false,
    executions, status == 'deferred' and parents(j) or {} }
end

local function main()
  local fields, replies = takelist(), {}
  for i, j in ipairs(takelist()) do
    replies[i] = look(j, fields)
  end
  return replies
end

return run(main)
