-- Reads both books of the ledger at one moment: what was counted, and what is
-- there.
--
-- KEYS[1]  hash of the counters
-- KEYS[2]  sorted set of the accepted documents
-- KEYS[3]  sorted set of the documents that failed without being accepted
-- KEYS[4]  sorted set of the accepted documents whose record is gone
-- KEYS[5..] the indexes by state, in the order in which they are answered
-- ARGV[1]  how many of the lost documents to name, the latest first
--
-- Returns the counters as a flat list, the sizes of KEYS[2] to KEYS[4], the
-- named ids, and the sizes of KEYS[5..].
local sizes, states = {}, {}
for i = 2, 4 do
  sizes[i - 1] = redis.call('ZCARD', KEYS[i])
end
for i = 5, #KEYS do
  states[i - 4] = redis.call('ZCARD', KEYS[i])
end
return { redis.call('HGETALL', KEYS[1]), sizes, redis.call('ZREVRANGE', KEYS[4], 0, ARGV[1] - 1), states }
