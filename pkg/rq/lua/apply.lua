-- apply: conditions and effects without a job's transition, all or nothing.
--
-- KEYS  those of the effects
-- ARGV  after the prelude's: token of this call; list of event labels, empty
--       for no event; conditions; effects
-- Reply { 'ok' } also when the call was repeated
--    or { 'condition', index, key, found } nothing was written

local function main()
  local token, labels = take(), takelist()
  local conditions, effects = takeconditions(), takeeffects()
  if done(token) then
    return { 'ok' }
  end
  local refused = broken(conditions)
  if refused then
    return refused
  end
  decide(effects)
  for _, e in ipairs(effects) do
    if e.op == 'DEL' and e.on then
      full() -- what deletes keys makes room
      break
    end
  end
  if #labels > 0 then
    event({}, labels)
  end
  receipt(token)
  claimkeys(conditions)
  apply(effects)
  return { 'ok' }
end

return run(main)
