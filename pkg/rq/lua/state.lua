-- state: writes the state that RQ's tools show for workers. An idle one has
-- no current job.
--
-- KEYS  per name its RQ hash
-- ARGV  after the prelude's: state, "" to leave it; 1 to write
--       shutdown_requested_date; list of worker names
-- Reply 1

local function main()
  local state, shutdown = take(), take() == '1'
  for _, worker in ipairs(takelist()) do
    if r('EXISTS', K.worker(worker)) == 1 then
      if state ~= '' then
        w('HSET', K.worker(worker), 'state', state)
      end
      if shutdown then
        w('HSET', K.worker(worker), 'shutdown_requested_date', iso())
      end
      if state == 'idle' then
        if r('HEXISTS', K.worker(worker), 'current_job_working_time') == 1 then
          w('HSET', K.worker(worker), 'current_job_working_time', '0')
        end
        w('HDEL', K.worker(worker), 'current_job')
        w('EXPIRE', K.worker(worker), '480')
      end
    end
  end
  return 1
end

return run(main)
