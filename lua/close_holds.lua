-- Takes holds off a customer's lists, unless one of them holds something: it is settled, or has taken nothing.
--
-- KEYS[1] holds: hash of the customer's open holds, by id
-- KEYS[2] ends: sorted set of their ids, by when they end (Unix ms)
-- KEYS   then per id:
--   taken        what was taken for it, under its key
--   settled      what it was settled by, under its key
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] lost: 1: also those that cannot be settled any more; 0
-- ARGV   ids
-- Returns how many of them were on the list and are not any more
-- Guarantee: a hold that has taken something and is not settled stays on the lists. A try to make it that was
-- denied does not take it from under another try that was not.
-- @include "refuse_moved"

local moved = refuse_moved()
if moved then return moved end
local closed = 0
for i = 2, #ARGV do
  local id, taken, settled = ARGV[i], KEYS[2 * i - 1], KEYS[2 * i]
  if ARGV[1] == '1' or redis.call('EXISTS', taken) == 0 or redis.call('EXISTS', settled) == 1 then
    redis.call('ZREM', KEYS[2], id)
    closed = closed + redis.call('HDEL', KEYS[1], id)
  end
end
return closed
