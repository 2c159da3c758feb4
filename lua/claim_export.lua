-- Takes a part of an export for one process, unless another has it.
--
-- KEYS[1] record: hash of the part
-- ARGV[1] owner: of the process
-- ARGV[2] lease (ms): how long it has it without a write
-- Returns 1 CLAIMED, also of what it has already; 0 TAKEN by another
-- Guarantee: one process has it at a time, by the time of the store, as long as that does not step.
local TAKEN, CLAIMED = 0, 1
-- @include "now_ms"

local now = now_ms()
local held = redis.call('HMGET', KEYS[1], 'owner', 'until')
local ends = tonumber(held[2] or '0') or 0
if held[1] and held[1] ~= '' and held[1] ~= ARGV[1] and ends > now and ends <= now + 2 * tonumber(ARGV[2]) then
  return TAKEN
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', string.format('%.0f', now + tonumber(ARGV[2])))
return CLAIMED
