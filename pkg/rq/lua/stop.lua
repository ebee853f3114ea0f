-- stop: sends RQ's stop-job command to the worker that runs a job (rq/
-- command.py, send_stop_job_command). It writes nothing: the worker ends the
-- job, which is then stopped.
--
-- KEYS  job hash
-- ARGV  after the prelude's: job
-- Reply { 'ok', worker, how many listen on the worker's channel }
--    or { 'none' } no such job
--    or { 'idle', status } it is not running, or its hash names no worker

local function main()
  local j = take()
  if (r('HLEN', K.job(j)) or 0) == 0 then
    return { 'none' }
  end
  local status, worker = get(j, 'status') or 'created', get(j, 'worker_name')
  if status ~= 'started' or not worker then
    return { 'idle', status }
  end
  return { 'ok', worker, tellstop(worker, j) }
end

return run(main)
