-- group: takes members whose job is gone out of a group, and the group out of
-- the list of groups when it has none left.
--
-- KEYS  rq:group of the group, rq:groups
-- ARGV  after the prelude's: group; list of members to look at
-- Reply how many members were removed
--
-- RQ asks for the jobs first and removes members afterwards (rq/group.py,
-- cleanup); a job enqueued again in between would be lost from its group.

local function main()
  local name, removed = take(), 0
  for _, j in ipairs(takelist()) do
    if r('EXISTS', K.job(j)) == 0 then
      removed = removed + (w('SREM', K.group(name), j) or 0)
    end
  end
  if r('EXISTS', K.group(name)) == 0 then
    w('SREM', K.groups, name)
  end
  return removed
end

return run(main)
