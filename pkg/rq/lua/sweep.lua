-- sweep: looks again at members of rq:canceled and rq:deferred, which nobody
-- else does. Canceled ids whose job is gone are removed; deferred jobs whose
-- dependencies are met are enqueued (a parent's finish can be lost between
-- RQ's two transactions, or the parent can expire).
--
-- KEYS  rq:canceled, rq:deferred, the queue's list
-- ARGV  after the prelude's: queue; list of canceled ids; list of deferred ids
-- Reply { canceled removed, deferred removed, deferred enqueued }

local function main()
  local q, canceled, deferred = take(), takelist(), takelist()
  local removed, dangling, enqueued = 0, 0, 0
  for _, j in ipairs(canceled) do
    if r('EXISTS', K.job(j)) == 0 then
      removed = removed + (w('ZREM', K.canceled(q), j) or 0)
    end
  end
  for _, j in ipairs(deferred) do
    local exists = r('EXISTS', K.job(j)) == 1
    if not exists then
      dangling = dangling + (w('ZREM', K.deferred(q), j) or 0)
    elseif r('EXISTS', K.dependencies(j)) == 1 and freed(j) then
      for _, p in ipairs(r('SMEMBERS', K.dependencies(j)) or {}) do
        w('SREM', K.dependents(p), j)
      end
      enqueued = enqueued + 1
    end
  end
  return { removed, dangling, enqueued }
end

return run(main)
