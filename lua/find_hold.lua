-- Reads one reservation of a customer, open or settled.
--
-- KEYS[1] holds: hash of the customer's open reservations, by id
-- KEYS[2] ends: sorted set of their ids, by when they end (Unix ms)
-- KEYS[3] taken: what was taken for it, under its key
-- KEYS[4] settled: what it was settled by, under its key
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] id: of the reservation
-- Returns its record, its end (Unix ms), what was taken and what it was settled by, as texts; empty: there is none
-- Guarantee: nothing is written.
-- @include "refuse_moved"

local moved = refuse_moved()
if moved then return moved end
local function text(key)
  local kind = redis.call('TYPE', key).ok
  return kind == 'string' and redis.call('GET', key) or ''
end

return {
  redis.call('HGET', KEYS[1], ARGV[1]) or '',
  redis.call('ZSCORE', KEYS[2], ARGV[1]) or '',
  text(KEYS[3]),
  text(KEYS[4]),
}
