-- Frees a slot.
--
-- KEYS[1] ends: sorted set of the ids of a feature's slots, by when they end (Unix ms)
-- KEYS[2] quantities: hash of what each of them holds, by id; and what all of them do, in the empty field
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] id: of the slot
-- Returns 1 RELEASED, or 0 NOT_HELD, as it was released before or has ended
-- Guarantee: its record stays, so that its id does not stand for another slot.
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "drop_ended"
local RELEASED, NOT_HELD = 1, 0

local moved = refuse_moved()
if moved then return moved end

local used, count = drop_ended(KEYS[1], KEYS[2], now_ms())
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return NOT_HELD end
if count == 1 then
  redis.call('DEL', KEYS[2])
else
  local held = tonumber(redis.call('HGET', KEYS[2], ARGV[1])) or 1
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('HSET', KEYS[2], '', string.format('%.0f', used - held))
end
return RELEASED
