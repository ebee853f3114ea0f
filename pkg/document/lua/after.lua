-- The members of a sorted set that come after a place in it, from the highest
-- score to the lowest and among equal scores from the greatest member to the
-- smallest. The place stays where it was when its member is gone and whatever
-- else is added or removed. One script, because ranks move between two calls.
--
-- KEYS[1]  the sorted set
-- ARGV[1]  how many members
-- ARGV[2], ARGV[3]  score and member of the place; without them from the beginning
--
-- Returns a flat list of members and scores.
local key, from = KEYS[1], 0
if ARGV[2] then
  -- Ranks from to high-1 have the same score: search the first smaller member.
  from = redis.call('ZCOUNT', key, '(' .. ARGV[2], '+inf')
  local high = from + redis.call('ZCOUNT', key, ARGV[2], ARGV[2])
  while from < high do
    local middle = math.floor((from + high) / 2)
    if redis.call('ZREVRANGE', key, middle, middle)[1] < ARGV[3] then
      high = middle
    else
      from = middle + 1
    end
  end
end
return redis.call('ZREVRANGE', key, from, from + ARGV[1] - 1, 'WITHSCORES')
