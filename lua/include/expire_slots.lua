-- Lets the two keys of a feature's slots expire when the last of them ends.
local function expire_slots(ends, quantities)
  local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')
  if not last[2] then return end
  local at = string.format('%.0f', last[2])
  redis.call('PEXPIREAT', ends, at)
  redis.call('PEXPIREAT', quantities, at)
end
