-- Writes down a reservation, before what it holds is taken.
--
-- KEYS[1] holds: hash of the customer's open reservations, by id
-- KEYS[2] ends: sorted set of their ids, by when they end (Unix ms)
-- KEYS[3] taken: what was taken for it, under its key
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] not_after (Unix ms): from then on nothing is written, as the caller has given up; 0: no such time
-- ARGV[2] id: of the reservation
-- ARGV[3] record: of the reservation, without its end
-- ARGV[4] ends (Unix ms)
-- ARGV[5] most: reservations that one customer may have open
-- Returns the record that there is and its end; or -5 TOO_LATE, or -1 FULL
-- Guarantee: the record of what has taken something stays as it is, so that a repeated call finds the first one.
-- One that has taken nothing, as it was denied or its server died, makes way.
-- @include "refuse_moved"
-- @include "now_ms"
local FULL, TOO_LATE = -1, -5

local moved = refuse_moved()
if moved then return moved end

local not_after = tonumber(ARGV[1])
if not_after > 0 and now_ms() > not_after then return TOO_LATE end
local found = redis.call('HGET', KEYS[1], ARGV[2])
if found and redis.call('EXISTS', KEYS[3]) == 1 then return { found, redis.call('ZSCORE', KEYS[2], ARGV[2]) or '0' } end
if not found and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return FULL end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
return { ARGV[3], ARGV[4] }
