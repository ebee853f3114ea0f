-- progress: effects of a running execution, while it holds its job.
--
-- KEYS  rq:wip of the queue
-- ARGV  after the prelude's: job, execution, queue, worker; 1 to append an
--       event; list of event labels; effects
-- Reply { 'ok' } or { 'late' }

local function main()
  local j, e, q, worker = take(), take(), take(), take()
  local told, labels, effects = take() == '1', takelist(), takeeffects()
  if not r('ZSCORE', K.wip(q), j .. ':' .. e) then
    return { 'late' }
  end
  decide(effects)
  if told then
    event({ 'job', j, 'queue', q, 'execution', e, 'worker', worker, 'from', 'started', 'to', 'started',
      'reason', 'progress' }, labels)
  end
  apply(effects)
  return { 'ok' }
end

return run(main)
