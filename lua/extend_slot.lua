-- Lets a slot end later.
--
-- KEYS[1] ends: sorted set of the ids of a feature's slots, by when they end (Unix ms)
-- KEYS[2] quantities: hash of what each of them holds, by id
-- KEYS[3] record: what was taken under the id of the slot
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] not_after (Unix ms): from then on nothing is written, as the caller has given up; 0: no such time
-- ARGV[2] id: of the slot
-- ARGV[3] ttl (ms): from now on
-- ARGV[4] kept (ms): how long the record is remembered after the end
-- Returns the new end (Unix ms), never an earlier one; or -5 TOO_LATE, 0 NOT_HELD
-- Guarantee: a slot that has ended stays ended, and its record is remembered for as long as it is held.
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "expire_slots"
local NOT_HELD, TOO_LATE = 0, -5

local moved = refuse_moved()
if moved then return moved end

local now, not_after = now_ms(), tonumber(ARGV[1])
if not_after > 0 and now > not_after then return TOO_LATE end
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then return NOT_HELD end
local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or 0)
if before <= now then return NOT_HELD end
local ends = math.max(now + tonumber(ARGV[3]), before)
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[2])
expire_slots(KEYS[1], KEYS[2])
redis.call('PEXPIRE', KEYS[3], string.format('%.0f', ends - now + tonumber(ARGV[4])))
return ends
