-- Reads the whole keyspace at one instant.
-- No KEYS, no ARGV.
-- Returns one entry per key: {key, type, milliseconds to live or -1, content}. The content is
--   string  the value                     hash  field, value, ...
--   list    elements from the head        set   members
--   zset    member, score, ...            stream  {last generated id, entries}
-- and is not there for a type that cannot be read.
local out = {}
for i, key in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', key)['ok']
  local content
  if kind == 'string' then
    content = redis.call('GET', key)
  elseif kind == 'hash' then
    content = redis.call('HGETALL', key)
  elseif kind == 'list' then
    content = redis.call('LRANGE', key, '0', '-1')
  elseif kind == 'set' then
    content = redis.call('SMEMBERS', key)
  elseif kind == 'zset' then
    content = redis.call('ZRANGE', key, '0', '-1', 'WITHSCORES')
  elseif kind == 'stream' then
    local info = redis.call('XINFO', 'STREAM', key)
    local last = ''
    for n = 1, #info, 2 do
      if info[n] == 'last-generated-id' then last = info[n + 1] end
    end
    content = {last, redis.call('XRANGE', key, '-', '+')}
  end
  out[i] = {key, kind, redis.call('PTTL', key), content}
end
return out
