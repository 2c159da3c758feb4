-- Lets a reservation end later.
--
-- KEYS[1] ends: sorted set of the customer's open reservations, by when they end (Unix ms)
-- KEYS[2] taken: what was taken for the reservation, under its key
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] not_after (Unix ms): from then on nothing is written, as the caller has given up; 0: no such time
-- ARGV[2] id: of the reservation
-- ARGV[3] ttl (ms): from now on
-- ARGV[4] kept (ms): how long what was taken is remembered after the end
-- Returns the new end (Unix ms), never an earlier one; or -5 TOO_LATE, -1 ENDED, 0 NOT_OPEN
-- Guarantee: a reservation that has ended stays ended, and what it has taken is remembered for as long as it
-- is open.
-- @include "refuse_moved"
-- @include "now_ms"
local NOT_OPEN, ENDED, TOO_LATE = 0, -1, -5

local moved = refuse_moved()
if moved then return moved end

local now, not_after = now_ms(), tonumber(ARGV[1])
if not_after > 0 and now > not_after then return TOO_LATE end
local before = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not before then return NOT_OPEN end
if tonumber(before) <= now then return ENDED end
local ends = math.max(now + tonumber(ARGV[3]), tonumber(before))
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[2])
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ends - now + tonumber(ARGV[4])))
return ends
