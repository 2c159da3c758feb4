-- Erases a customer's record and moves its epoch; compare-and-set on the epoch.
--
-- KEYS[1] record: of the customer
-- KEYS[2] epoch: of the customer; absent or damaged: 0
-- KEYS[3] customers: sorted set of the ids in this shard
-- KEYS[4] index: sorted set of what customers of this shard are found by
-- KEYS[5] seen: sorted set of customers of this shard without a record
-- KEYS[6] events: stream of the shard's changes
-- KEYS[7] ledger: stream of the shard
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] expected_epoch: of the record that is erased
-- ARGV[2] customer_id
-- ARGV[3] kept (ms): how long the epoch stays behind
-- ARGV[4] kept_max (events): how many the stream keeps, about
-- ARGV[5] events_kept (ms): how long the stream keeps them
-- ARGV[6] actor: whose doing it is
-- ARGV[7] noted_max (records): how many the ledger keeps
-- ARGV[8] noted (ms): how long it keeps them
-- ARGV[9] described: what it has of the erasure, beside the epoch
-- ARGV   members of the index that the record has
-- Returns the new epoch, the time of the erasure (Unix ms) or one more than before if that is later;
-- or -1 CONFLICT when the customer was written in between.
-- Guarantee: a decision planned with the record is refused from here on. The epoch is kept until no
-- write can repeat an older one, since epochs are times. Lists of another type are as good as lost, and make way.
local CONFLICT = -1
local ARGV_HEAD = 9
-- @include "refuse_moved"
-- @include "read_epoch"
-- @include "next_epoch"
-- @include "clear_unless"
-- @include "write_index"
-- @include "append_event"
-- @include "note_in_ledger"

local moved = refuse_moved()
if moved then return moved end

local before = read_epoch(KEYS[2])
if before ~= tonumber(ARGV[1]) then return CONFLICT end
for i = 3, 5 do clear_unless('zset', KEYS[i]) end
local epoch = next_epoch(before)
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[2], string.format('%.0f', epoch), 'PX', ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[5], ARGV[2])
write_index(KEYS[4], ARGV_HEAD + 1, #ARGV - ARGV_HEAD)
local moved = string.format('%.0f', epoch)
note_in_ledger(KEYS[7], redis.call('TIME'), { epoch }, ARGV[7], ARGV[8], ARGV[9])
append_event(KEYS[6], ARGV[4], ARGV[5], 'erased', ARGV[2], 'epoch', moved, 'actor', ARGV[6])
return epoch
