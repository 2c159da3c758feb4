-- Mends what a customer is found by; compare-and-set on its epoch.
--
-- KEYS[1] epoch: of the customer; absent or damaged: 0
-- KEYS[2] index: sorted set of what customers of this shard are found by, all with score 0
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] expected_epoch: of the record that the members were worked out from
-- ARGV[2] stale: number of members that the record does not have
-- ARGV   those members, then members that it has
-- Returns 1, or 0 when the customer was written in between: the write has mended it.
-- Guarantee: a member of an older record never takes the place of what a newer write has put.
local ARGV_HEAD = 2
-- @include "refuse_moved"
-- @include "read_epoch"
-- @include "write_index"

local moved = refuse_moved()
if moved then return moved end

if read_epoch(KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
write_index(KEYS[2], ARGV_HEAD + 1, tonumber(ARGV[2]))
return 1
