-- list: a page of a registry with its jobs. Only reads.
--
-- KEYS  the registry
-- ARGV  after the prelude's: command, LRANGE, ZRANGE or ZREVRANGE; first and
--       last index; 1 when members are job:execution; limit in bytes per field
-- Reply { members on the page, list of { id, hash as flat list, fields left
--         out } }

local function main()
  local command, first, last, executions, limit = take(), take(), take(), take() == '1', taken()
  local members = r(command, KEYS[1], first, last) or {}
  local jobs = {}
  for i, j in ipairs(members) do
    if executions then
      j = string.match(j, '^(.*):[^:]*$') or j
    end
    local hash, left = load(j, limit)
    jobs[i] = { j, hash, left }
  end
  return { #members, jobs }
end

return run(main)
