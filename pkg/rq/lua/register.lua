-- register: gives worker names to a process, all or none (rq/worker/base.py,
-- register_birth).
--
-- KEYS  rq:workers, then per name its RQ hash and our slot hash
-- ARGV  after the prelude's: token of the process; list of tokens known to be
--       of dead processes; number of names, then per name: name; list of queue
--       names; list of fields and values of the RQ hash; list of fields and
--       values of the slot hash
-- Reply { 'ok' } or { 'alive', name, host, pid }
--    or { 'type', key } a worker's key is no hash
--
-- A name is free when its RQ hash is missing or has a death; ours when the
-- token is; and given up when its slot's lease has run out or its token is of
-- a dead process. The execution that a given-up slot held loses its lease, so
-- that it is recovered at once.

-- holder answers the host and pid of the live process that has the name.
local function holder(worker, token, dead)
  local slot = r('HMGET', K.slot(worker), 'token', 'lease', 'host', 'pid')
  local owner = slot and nonempty(slot[1])
  if owner then
    if owner == token or dead[owner] or (tonumber(slot[2] or '') or 0) <= now_ms then
      return nil
    end
    return slot[3] or '', slot[4] or ''
  end
  if r('EXISTS', K.worker(worker)) == 0 or r('HGET', K.worker(worker), 'death') then
    return nil
  end
  local f = r('HMGET', K.worker(worker), 'hostname', 'pid') or {}
  return f[1] or '', f[2] or ''
end

local function give(worker, token, queues, birth, slot)
  local f = r('HMGET', K.slot(worker), 'token', 'execution', 'queue')
  if f and f[1] ~= token and f[2] and f[3] then
    w('ZADD', K.lease(f[3]), 'XX', '0', f[2])
  end
  w('HSET', K.slot(worker), 'token', token, 'lease', int(now_ms + LEASE), unpack(slot))
  w('HDEL', K.slot(worker), 'execution', 'queue')
  w('EXPIRE', K.slot(worker), '86400')
  w('DEL', K.worker(worker))
  w('HSET', K.worker(worker), 'birth', iso(), 'last_heartbeat', iso(), 'state', 'started', unpack(birth))
  w('EXPIRE', K.worker(worker), '480')
  w('SADD', K.workers, K.worker(worker))
  for _, q in ipairs(queues) do
    w('SADD', K.workers_of(q), K.worker(worker))
  end
end

local function main()
  local token, dead, names = take(), {}, {}
  for _, t in ipairs(takelist()) do
    dead[t] = true
  end
  for i = 1, taken() do
    names[i] = { take(), takelist(), takelist(), takelist() }
    if not is(K.worker(names[i][1]), 'hash') then
      return { 'type', K.worker(names[i][1]) }
    end
    local host, pid = holder(names[i][1], token, dead)
    if host then
      return { 'alive', names[i][1], host, pid }
    end
  end
  for _, n in ipairs(names) do
    give(n[1], token, n[2], n[3], n[4])
  end
  return { 'ok' }
end

return run(main)
