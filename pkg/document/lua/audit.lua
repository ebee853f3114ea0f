-- Compares some documents with the indexes and with the ledger, each at one
-- moment, and puts right what follows from their records. A script does no
-- harm that is run twice, or by two processes.
--
-- KEYS[1]  hash of the ledger's counters
-- KEYS[2]  sorted set of the accepted documents
-- KEYS[3]  sorted set of the documents that failed without being accepted
-- KEYS[4]  sorted set of the accepted documents whose record is gone
-- KEYS[5]  sorted set of all documents
-- ARGV[1]  what the keys of records begin with
-- ARGV[2]  what the keys of the indexes by state begin with
-- ARGV[3]  the state whose index is being walked, or ''
-- ARGV[4]  how many states there are; they follow
-- ARGV[5 + ARGV[4]..] id, score, id, score...
--
-- Returns how many documents were counted that nobody had counted; a flat list
-- of id, state and what was put right: "index" (an entry was missing),
-- "place" (it stood in the index of another state), "ledger" (the set of the
-- accepted lacked it), and with an empty id "counters" (those were gone); and
-- a list of ids whose record has no status, if it is there at all: the caller
-- looks again.
local counters, accepted, unaccepted, lost, all = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local walked, n = ARGV[3], tonumber(ARGV[4])
local known = {}
for i = 5, 4 + n do
  known[ARGV[i]] = true
end
local seeded, mended, missing = 0, {}, {}

local function mend(id, state, what)
  for _, v in ipairs({ id, state, what }) do
    mended[#mended + 1] = v
  end
  redis.call('HINCRBY', counters, 'foreign_changes', 1)
end

local function counter(field)
  return tonumber(redis.call('HGET', counters, field) or '0') or 0
end

-- expected is how many accepted documents there should be by the counters.
local function expected()
  return counter('accepted') + counter('seeded') - counter('deleted') - counter('archived')
end

-- enter puts an accepted document into the set. Where the set has fewer than
-- were counted, somebody took entries out of it, and this is one of those;
-- else a process that keeps no ledger accepted it, or it was rebuilt.
local function enter(id, score, state)
  if expected() > redis.call('ZCARD', accepted) then
    mend(id, state, 'ledger')
  else
    redis.call('HINCRBY', counters, 'seeded', 1)
    seeded = seeded + 1
  end
  redis.call('ZADD', accepted, score, id)
end

local function check(id, score, state, queued)
  local index = ARGV[2] .. state
  if not redis.call('ZSCORE', index, id) or not redis.call('ZSCORE', all, id) then
    mend(id, state, 'index')
    redis.call('ZADD', index, score, id)
    redis.call('ZADD', all, score, id)
  end
  if walked ~= state and redis.call('ZSCORE', ARGV[2] .. walked, id) then
    mend(id, state, 'place')
    redis.call('ZREM', ARGV[2] .. walked, id)
  end
  local is = redis.call('ZSCORE', accepted, id)
  if not is and queued and queued ~= '' then
    enter(id, score, state)
    is = true
  end
  if state == 'failed' and not is then
    redis.call('ZADD', unaccepted, score, id)
  else
    redis.call('ZREM', unaccepted, id)
  end
  redis.call('ZREM', lost, id)
end

local there = redis.call('ZCARD', accepted)
if expected() < there then
  mend('', '', 'counters')
  redis.call('HINCRBY', counters, 'seeded', there - expected())
end
for i = 5 + n, #ARGV, 2 do
  local record = redis.pcall('HMGET', ARGV[1] .. ARGV[i], 'status', 'queued_at')
  if not record[1] then
    missing[#missing + 1] = ARGV[i]
  elseif known[record[1]] then
    check(ARGV[i], ARGV[i + 1], record[1], record[2])
  end
end
return { seeded, mended, missing }
