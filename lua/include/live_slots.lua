-- What the slots of a feature hold that have not ended, and how many they are; nothing is written. Where one of
-- the two keys has lost something, they are added up one by one.
-- @include "held_by"
local function live_slots(ends, quantities, now)
  if redis.call('TYPE', ends).ok ~= 'zset' then return 0, 0 end
  local all = redis.call('ZCARD', ends)
  local ended = redis.call('ZRANGE', ends, '-inf', now, 'BYSCORE')
  if redis.call('TYPE', quantities).ok ~= 'hash' then return all - #ended, all - #ended end
  if redis.call('HLEN', quantities) == all + 1 then
    local total = tonumber(redis.call('HGET', quantities, ''))
    if total then return total - held_by(quantities, ended), all - #ended end
  end
  return held_by(quantities, redis.call('ZRANGE', ends, '(' .. now, '+inf', 'BYSCORE')), all - #ended
end
