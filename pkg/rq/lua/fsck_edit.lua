-- fsck_edit: plain commands, made only while everything that they rest on is
-- still as it was read. Repairs and their undoing are both this.
--
-- KEYS  those that the commands write to
-- ARGV  after the prelude's: token of this call, "" to only read; number of
--       probes, then per probe the list of its words, how it is compared
--       ("=", "none", "some" or "any") and the text for "="; number of
--       commands, then per command the list of its words; list of fields and
--       values of an event; list of event labels; effects
-- Reply { 'ok', what the probes found } also when the call was repeated
--    or { 'changed', index of the probe, what it found }
--    or { 'later' } the entry that a PUTBACK goes before isn't there
--
-- A probe is a reading command, of which the answer is a text or nothing, or
--   CONTENT key          a digest of all that the key holds
--   HOLDS key job        the member of the zset key that begins with "job:"
--   AFTER key entry      the entry of the list behind the first such entry
--   COUNT key entry max  how many such entries the list has, max at most
-- A command is a writing one, or
--   PUTBACK key entry successor index force
--                        inserts entry at index, where successor stands; else
--                        before successor; at the head when that is gone and
--                        force is 1

local function flat(key)
  local t = r('TYPE', key).ok
  if t == 'none' then
    return nil
  end
  local items = {}
  if t == 'string' then
    items = { r('GET', key) }
  elseif t == 'list' then
    items = r('LRANGE', key, '0', '-1')
  elseif t == 'set' then
    items = r('SMEMBERS', key)
    table.sort(items)
  elseif t == 'hash' then
    local all = r('HGETALL', key)
    for i = 1, #all, 2 do
      items[#items + 1] = #all[i] .. ':' .. all[i] .. all[i + 1]
    end
    table.sort(items)
  elseif t == 'zset' then
    items = r('ZRANGE', key, '0', '-1', 'WITHSCORES')
  elseif t == 'stream' then
    for _, e in ipairs(r('XRANGE', key, '-', '+')) do
      items[#items + 1] = e[1]
      for _, v in ipairs(e[2]) do
        items[#items + 1] = v
      end
    end
  end
  local parts = { t }
  for _, v in ipairs(items) do
    parts[#parts + 1] = #v .. ':' .. v
  end
  return redis.sha1hex(table.concat(parts, ','))
end

local function probe(words)
  if words[1] == 'CONTENT' then
    return flat(words[2])
  elseif words[1] == 'HOLDS' then
    local prefix = words[3] .. ':'
    for _, m in ipairs(r('ZRANGE', words[2], '0', '-1') or {}) do
      if string.sub(m, 1, #prefix) == prefix then
        return m
      end
    end
    return nil
  elseif words[1] == 'AFTER' then
    local at = r('LPOS', words[2], words[3])
    return at and r('LINDEX', words[2], int(at + 1)) or nil
  elseif words[1] == 'COUNT' then
    return int(#(r('LPOS', words[2], words[3], 'COUNT', words[4]) or {}))
  end
  local x = r(unpack(words))
  if type(x) == 'table' then
    x = x.ok
  elseif type(x) == 'number' then
    x = int(x)
  end
  return x or nil
end

local function agrees(p, found)
  return p.how == 'any' or (p.how == 'none' and found == nil) or (p.how == 'some' and found ~= nil)
    or (p.how == '=' and found == p.text)
end

local function putback(key, entry, successor, index)
  if r('LINDEX', key, index) == successor then
    -- By way of a text that stands nowhere else: entries may be in it twice.
    local mark = 'docsvc:fsck:' .. entry
    w('LSET', key, index, mark)
    w('LINSERT', key, 'BEFORE', mark, entry)
    w('LSET', key, int(tonumber(index) + 1), successor)
  elseif (w('LINSERT', key, 'BEFORE', successor, entry) or 0) <= 0 then
    w('LPUSH', key, entry)
  end
end

local function main()
  local token, probes, commands = take(), {}, {}
  for i = 1, taken() do
    probes[i] = { words = takelist(), how = take(), text = take() }
  end
  for i = 1, taken() do
    commands[i] = takelist()
  end
  local fields, labels, effects = takelist(), takelist(), takeeffects()
  if done(token) then
    return { 'ok', {} }
  end
  local values = {}
  for i, p in ipairs(probes) do
    local found = probe(p.words)
    if not agrees(p, found) then
      return { 'changed', i - 1, found or '' }
    end
    values[i] = found or false
  end
  if token == '' then
    return { 'ok', values }
  end
  for _, c in ipairs(commands) do
    if c[1] == 'PUTBACK' and c[6] ~= '1' and not r('LPOS', c[2], c[4]) then
      return { 'later' }
    end
  end
  decide(effects)
  if #fields > 0 then
    event(fields, labels)
  end
  receipt(token)
  for _, c in ipairs(commands) do
    if c[1] == 'PUTBACK' then
      putback(c[2], c[3], c[4], c[5])
    else
      w(unpack(c))
    end
  end
  apply(effects)
  return { 'ok', values }
end

return run(main)
