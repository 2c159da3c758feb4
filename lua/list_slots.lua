-- Lists the slots of a feature that are held, those that end first.
--
-- KEYS[1] ends: sorted set of the ids of its slots, by when they end (Unix ms)
-- KEYS[2] quantities: hash of what each of them holds, by id
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] most: slots
-- Returns per slot its id, what it holds (as text; empty: lost) and when it ends (Unix ms, as text)
-- Guarantee: nothing is written.
-- @include "refuse_moved"
-- @include "now_ms"

local moved = refuse_moved()
if moved then return moved end
local found, kinds = {}, { redis.call('TYPE', KEYS[1]).ok, redis.call('TYPE', KEYS[2]).ok }
if kinds[1] ~= 'zset' then return found end
local held = redis.call('ZRANGE', KEYS[1], '(' .. now_ms(), '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[1], 'WITHSCORES')
for i = 1, #held, 2 do
  local quantity = kinds[2] == 'hash' and redis.call('HGET', KEYS[2], held[i])
  found[#found + 1], found[#found + 2] = held[i], quantity or ''
  found[#found + 1] = held[i + 1]
end
return found
