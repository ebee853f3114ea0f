-- unlock: deletes locks that still hold this owner's token, and no others.
--
-- KEYS  the locks
-- ARGV  after the prelude's: token
-- Reply how many were deleted

local function main()
  local token, n = take(), 0
  for _, key in ipairs(KEYS) do
    if r('GET', key) == token then
      n = n + w('DEL', key)
    end
  end
  return n
end

return run(main)
