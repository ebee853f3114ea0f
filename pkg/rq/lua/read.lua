-- read: job hashes, without fields that are too large. Only reads.
--
-- KEYS  the job hashes
-- ARGV  after the prelude's: limit in bytes per field; list of job ids
-- Reply per job { hash as flat list, fields left out }, empty when missing

local function main()
  local limit, replies = taken(), {}
  for i, j in ipairs(takelist()) do
    local hash, left = load(j, limit)
    replies[i] = { hash, left }
  end
  return replies
end

return run(main)
