-- unregister: writes the death of workers (rq/worker/base.py, register_death).
--
-- KEYS  rq:workers, then per name its RQ hash and our slot hash
-- ARGV  after the prelude's: token of the process; list of worker names
-- Reply how many of the names were this process's

local function main()
  local token, n = take(), 0
  for _, worker in ipairs(takelist()) do
    if r('HGET', K.slot(worker), 'token') == token then
      n = n + 1
      local queues = r('HGET', K.worker(worker), 'queues') or ''
      w('HSET', K.worker(worker), 'death', iso())
      w('EXPIRE', K.worker(worker), '60')
      w('SREM', K.workers, K.worker(worker))
      for q in string.gmatch(queues, '[^,]+') do
        w('SREM', K.workers_of(q), K.worker(worker))
      end
      w('DEL', K.slot(worker))
    end
  end
  return n
end

return run(main)
