-- Removes the slots of a feature that have ended, and mends what is damaged; returns what the others hold, and how
-- many they are.
-- @include "clear_unless"
-- @include "live_slots"
local function drop_ended(ends, quantities, now)
  clear_unless('zset', ends)
  clear_unless('hash', quantities)
  local used, count = live_slots(ends, quantities, now)
  local ended = redis.call('ZRANGE', ends, '-inf', now, 'BYSCORE')
  for i = 1, #ended do redis.call('HDEL', quantities, ended[i]) end
  if #ended > 0 then redis.call('ZREMRANGEBYSCORE', ends, '-inf', now) end
  if count == 0 then
    redis.call('DEL', quantities)
  elseif redis.call('HLEN', quantities) ~= count + 1 then
    local ids, held = redis.call('ZRANGE', ends, 0, -1), {}
    for i = 1, #ids do held[i] = redis.call('HGET', quantities, ids[i]) or '1' end
    redis.call('DEL', quantities)
    for i = 1, #ids do redis.call('HSET', quantities, ids[i], held[i]) end
    redis.call('HSET', quantities, '', string.format('%.0f', used))
  elseif #ended > 0 then
    redis.call('HSET', quantities, '', string.format('%.0f', used))
  end
  return used, count
end
