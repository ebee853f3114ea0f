-- pulse notes that Redis was reached, for all processes together. A gap of
-- more than half a lease means that Redis, or everybody's way to it, was gone:
-- then nobody could keep a lease alive, and nothing is recovered before one
-- whole lease has passed. A clock that was set back is taken for one too: what
-- stands further ahead than a lease would keep recovery still for that long.
-- Works on any engine, unlike INFO's run_id. Answers the unix ms before which
-- recovery must keep still.
local function pulse()
  local last = tonumber(r('GET', K.pulse) or '')
  local quiet = tonumber(r('GET', K.quiet_until) or '') or 0
  w('SET', K.pulse, int(now_ms))
  if not last or now_ms - last > LEASE / 2 or quiet > now_ms + LEASE then
    quiet = now_ms + LEASE
    w('SET', K.quiet_until, int(quiet))
  end
  return quiet
end
