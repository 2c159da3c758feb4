-- Notes a correction of what a customer has used.
--
-- KEYS[1] corrections: sorted set of the customer's corrections, by time (Unix ms)
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] correction: what was done
-- ARGV[2] most: corrections that are kept, the latest
-- ARGV[3] kept (ms): how long, after the latest
-- Returns 1, or 0: it is noted already
-- Guarantee: a correction that is noted already keeps its time. A list of another type is as good as lost, and
-- makes way.
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "add_correction"

local moved = refuse_moved()
if moved then return moved end
return add_correction(KEYS[1], ARGV[1], now_ms(), ARGV[2], ARGV[3])
