-- expired: executions whose job may have to be taken from their worker, for
-- the caller to compute effects; recover.lua then takes them one by one.
--
-- KEYS  per queue its lease zset, or its rq:wip
-- ARGV  after the prelude's: "lease" for docsvc's own executions, "wip" for
--       those without a lease whose rq:wip score has passed; at most how many;
--       list of queue names
-- Reply { 1 when an outage makes recovery wait, else 0,
--         list of { queue, member, job, execution, deaths counted so far,
--                   hash as flat list, fields left out } }

local function main()
  local mode, limit, queues = take(), taken(), takelist()
  local found = {}
  if mode == 'lease' and pulse() > now_ms then
    return { 1, found }
  end
  for _, q in ipairs(queues) do
    local key, low, high = K.lease(q), '-inf', now_ms
    if mode == 'wip' then
      key, low, high = K.wip(q), '0', sec
    end
    for _, member in ipairs(r('ZRANGEBYSCORE', key, low, int(high), 'LIMIT', '0', int(limit)) or {}) do
      local j, e = string.match(member, '^(.*):([^:]*)$')
      if not j then
        j, e = member, ''
      end
      if mode == 'lease' or not r('ZSCORE', K.lease(q), member) then
        local hash, left = load(j, 65536)
        found[#found + 1] = { q, member, j, e, r('HGET', K.recovered, j) or '0', hash, left }
      end
    end
  end
  return { 0, found }
end

return run(main)
