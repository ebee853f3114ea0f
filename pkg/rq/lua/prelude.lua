-- Stands in front of every script: reading ARGV, time, key names, guarded
-- writes, conditions, effects and events.
--
-- ARGV is a tape read from the front by take(): first the four values below,
-- then what the script's own header lists. A list is its length followed by
-- its elements.
--   namespace      prefix of our own keys
--   fixed time     unix microseconds, "" for the server's TIME
--   events         about how many entries the events stream keeps
--   lease          milliseconds an execution's lease lasts
--
-- KEYS declares the keys known before the script runs; scripts address keys
-- by the names in K, since many are only known from what they read. That works
-- on one Redis with replicas, not on Redis Cluster (nor does RQ).

local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
local function taken()
  return tonumber(take())
end
local function takelist()
  local n, t = taken(), {}
  for i = 1, n do
    t[i] = take()
  end
  return t
end

local NS, FIXED, EVENTS, LEASE = take(), take(), take(), taken()

-- Time. sec and usec are whole numbers, now_ms is milliseconds.
local sec, usec
if FIXED ~= '' then
  sec, usec = tonumber(string.sub(FIXED, 1, -7)), tonumber(string.sub(FIXED, -6))
else
  local t = redis.pcall('TIME')
  if t.err then
    return redis.error_reply('NOPERM the Redis user has no permission for TIME in a script')
  end
  sec, usec = tonumber(t[1]), tonumber(t[2])
end
local now_ms = sec * 1000 + math.floor(usec / 1000)

-- int writes a whole number in plain decimal, whatever its size.
local function int(n)
  return string.format('%.0f', n)
end

-- iso is a moment, or now, as RQ writes it in job and worker hashes: unix
-- seconds and microseconds. The date is computed from the day number as in
-- Howard Hinnant's "chrono-compatible date algorithms", civil_from_days.
local function iso(at, micros)
  at, micros = at or sec, micros or usec
  local days, s = math.floor(at / 86400), at % 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local d = doy - math.floor((153 * mp + 2) / 5) + 1
  local m = mp < 10 and mp + 3 or mp - 9
  local y = yoe + era * 400 + (m <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06dZ', y, m, d,
    math.floor(s / 3600), math.floor(s % 3600 / 60), s % 60, micros)
end

-- float is now as RQ writes it in executions and results: unix seconds in the
-- shortest decimal form.
local function float()
  local f = string.gsub(string.format('%06d', usec), '0+$', '')
  return int(sec) .. '.' .. (f == '' and '0' or f)
end

local K = {
  queues = 'rq:queues', workers = 'rq:workers', suspended = 'rq:suspended', groups = 'rq:groups',
  job = function(j) return 'rq:job:' .. j end,
  dependents = function(j) return 'rq:job:' .. j .. ':dependents' end,
  dependencies = function(j) return 'rq:job::' .. j .. ':dependencies' end,
  results = function(j) return 'rq:results:' .. j end,
  executions = function(j) return 'rq:executions:' .. j end,
  execution = function(j, e) return 'rq:execution:' .. j .. ':' .. e end,
  queue = function(q) return 'rq:queue:' .. q end,
  intermediate = function(q) return 'rq:queue:' .. q .. ':intermediate' end,
  first_seen = function(q, j) return 'rq:queue:' .. q .. ':intermediate:first_seen:' .. j end,
  wip = function(q) return 'rq:wip:' .. q end,
  finished = function(q) return 'rq:finished:' .. q end,
  failed = function(q) return 'rq:failed:' .. q end,
  deferred = function(q) return 'rq:deferred:' .. q end,
  scheduled = function(q) return 'rq:scheduled:' .. q end,
  canceled = function(q) return 'rq:canceled:' .. q end,
  cleaning = function(q) return 'rq:clean_registries:' .. q end,
  scheduler_lock = function(q) return 'rq:scheduler-lock:' .. q end,
  scheduler = function(n) return 'rq:scheduler:' .. n end,
  worker = function(w) return 'rq:worker:' .. w end,
  workers_of = function(q) return 'rq:workers:' .. q end,
  pubsub = function(w) return 'rq:pubsub:' .. w end,
  group = function(g) return 'rq:group:' .. g end,
  recoveries = NS .. 'recoveries', deaths = NS .. 'deaths',
  events = NS .. 'events', recovered = NS .. 'recovered', dropped = NS .. 'dropped',
  late = NS .. 'late', refused = NS .. 'refused', receipts = NS .. 'receipts',
  pulse = NS .. 'pulse', quiet_until = NS .. 'quiet_until', schedulers = NS .. 'schedulers',
  lease = function(q) return NS .. 'lease:' .. q end,
  slot = function(w) return NS .. 'worker:' .. w end,
  scratch = function(j) return NS .. 'scratch:' .. j end,
}

-- Reads and writes. A key of the wrong type must not stop a transition: r
-- answers nil for it, w counts it in docsvc:refused and goes on.
--
-- Redis that cannot take writes at all (out of memory, read-only, cannot
-- persist) must stop the script before anything changed. It refuses the first
-- write that needs memory, but would let everything through once one write
-- went in; so every script writes its event or another growing write first,
-- and w ends the script with that error while nothing has been written. Those
-- that call full are not refused for want of memory.
--
-- So does what the user of Redis may not do, which r and w name. Once something
-- has been written the script goes on to its end, because half of a transition
-- is worse than one without a part, and run answers the error then.
local written, forbidden = false, nil

-- failed answers the error that a reply is, if any. Redis 6.2 puts the place
-- in the script in front of its own errors: "@user_script: 5: -OOM ...".
local function failed(x)
  local err = type(x) == 'table' and x.err
  if not err or string.sub(err, 1, 1) ~= '@' then
    return err
  end
  return string.match(err, '^@[^:]*: %d+: %-(%u+ .-)%s*$') or 'ERR ' .. err
end

-- forbid looks whether an error says that the user lacks a permission, in the
-- words of Redis 6.2 and 7.0, and of later ones.
local function forbid(err, command, key)
  if not string.find(err, "^NOPERM") and not string.find(err, "user executing the script can't", 1, true)
    and not string.find(err, 'ACL failure in script', 1, true) then
    return
  end
  local what = 'NOPERM the Redis user has no permission for ' .. command .. ' ' .. (key or '')
  if not written then
    error(what, 0)
  end
  forbidden = forbidden or what
end

-- full lets the script go on where Redis has reached its maxmemory, by a write
-- that needs no memory and changes nothing. It is for what makes room, and for
-- signs of life, which take none: a worker that can't give them would lose jobs
-- that it runs. Whatever else Redis refuses, the first real write meets it again.
local function full()
  redis.pcall('DEL', NS .. 'none')
end

local function r(...)
  local x = redis.pcall(...)
  local err = failed(x)
  if err then
    forbid(err, ...)
  end
  if err or x == false then
    return nil
  end
  return x
end

local function w(...)
  local x = redis.pcall(...)
  local err = failed(x)
  if not err then
    written = true
    return x
  end
  forbid(err, ...)
  if not written and not string.find(err, 'WRONGTYPE', 1, true) and not string.find(err, '^ERR ') then
    error(err, 0)
  end
  redis.pcall('HINCRBY', K.refused, (...), '1')
  return nil
end

-- run calls main and turns an error into one that the client can read on
-- every engine.
local function run(main)
  local ok, x = pcall(main)
  if ok and not forbidden then
    return x
  end
  return redis.error_reply(forbidden or x)
end

-- is reports whether key is of the type, or missing.
local function is(key, kind)
  local t = (r('TYPE', key) or {}).ok
  return t == 'none' or t == kind
end

local function nonempty(v)
  return v ~= '' and v or nil
end

-- Guards, conditions and effects; see Guard, Condition and Effect in Go.
local function takeguard()
  return { key = take(), field = take(), is = take(), invert = take() == '1' }
end

-- actual is what stands where the guard looks: a field of a hash, the score of
-- a member of a sorted set, or the key itself.
local function actual(g)
  if g.field ~= '' then
    return r('HGET', g.key, g.field) or r('ZSCORE', g.key, g.field) or ''
  elseif g.is == '' then
    return r('EXISTS', g.key) == 1 and '1' or ''
  end
  return r('GET', g.key) or ''
end

local function holds(g)
  local v = actual(g)
  local yes
  if g.field == '' and g.is == '' then
    yes = v == '1'
  else
    yes = v == g.is
  end
  return yes ~= g.invert
end

local function takeconditions()
  local n, t = taken(), {}
  for i = 1, n do
    if take() == 'claim' then
      t[i] = { key = take(), value = take(), ttl = taken() }
    else
      t[i] = { guard = takeguard() }
    end
  end
  return t
end

-- broken answers the reply for the first condition that does not hold.
local function broken(conditions)
  for i, c in ipairs(conditions) do
    if c.guard then
      if not holds(c.guard) then
        return { 'condition', int(i - 1), c.guard.key, actual(c.guard) }
      end
    else
      local v = r('GET', c.key)
      if (v and v ~= c.value) or (not v and r('EXISTS', c.key) == 1) then
        return { 'condition', int(i - 1), c.key, v or '' }
      end
    end
  end
  return nil
end

local function claimkeys(conditions)
  for _, c in ipairs(conditions) do
    if c.key and c.ttl > 0 then
      w('SET', c.key, c.value, 'PX', int(c.ttl))
    elseif c.key then
      w('SET', c.key, c.value)
    end
  end
end

local function takeeffects()
  local n, t = taken(), {}
  for i = 1, n do
    local e = { op = take(), key = take() }
    if take() == '1' then
      e.guard = takeguard()
    end
    e.args = takelist()
    t[i] = e
  end
  return t
end

-- decide evaluates the guards of effects, all of them before the first write.
local function decide(effects)
  for _, e in ipairs(effects) do
    e.on = not e.guard or holds(e.guard)
  end
end

local function apply(effects)
  for _, e in ipairs(effects) do
    if not e.on then
      -- its guard did not hold
    elseif e.op == 'XADD' then
      if e.args[1] == '0' then
        w('XADD', e.key, '*', unpack(e.args, 2))
      else
        w('XADD', e.key, 'MAXLEN', '~', e.args[1], '*', unpack(e.args, 2))
      end
    else
      w(e.op, e.key, unpack(e.args))
    end
  end
end

-- event appends to the events stream: field, value, field, value..., then
-- labels as a flat list. Empty values are left out.
local function event(fields, labels)
  local t = {}
  for _, list in ipairs({ fields, labels or {} }) do
    for i = 1, #list - 1, 2 do
      if list[i + 1] ~= '' then
        t[#t + 1] = list[i]
        t[#t + 1] = list[i + 1]
      end
    end
  end
  w('XADD', K.events, 'MAXLEN', '~', EVENTS, '*', unpack(t))
end

-- Receipts of calls, so that one repeated after a lost reply is recognised.
-- They are kept two minutes, longer than any client repeats by itself.
local function done(token)
  return r('ZSCORE', K.receipts, token) ~= nil
end

local function receipt(token)
  w('ZADD', K.receipts, int(now_ms), token)
  w('ZREMRANGEBYSCORE', K.receipts, '-inf', int(now_ms - 120000))
end
