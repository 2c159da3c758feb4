-- Writes a customer's record and moves its epoch; compare-and-set on the epoch.
--
-- KEYS[1] record: of the customer
-- KEYS[2] epoch: of the customer; absent or damaged: 0
-- KEYS[3] customers: sorted set of the ids in this shard, all with score 0, for listing
-- KEYS[4] index: sorted set of what customers of this shard are found by, all with score 0
-- KEYS[5] events: stream of the shard's changes
-- KEYS[6] changes: list of the customer's latest writes, the newest first
-- KEYS[7] written: sorted set of the shard's latest writes, "<epoch>:<customer_id>" by epoch
-- KEYS[8] before: hash of what the record was before the latest writes, by their epochs
-- KEYS[9] ledger: stream of the shard
-- KEYS   lasting: usage keys that a customer without a record may have, and that are to be kept for ever
--                 from its first record on
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] expected_epoch: the epoch the new record was made from
-- ARGV[2] record
-- ARGV[3] customer_id
-- ARGV[4] kept_max (events): how many the stream keeps, about
-- ARGV[5] kept (ms): how long the stream keeps them
-- ARGV[6] actor: whose doing it is
-- ARGV[7] change: what is written, in the form of its list; empty: is not listed
-- ARGV[8] listed_max (changes): how many the list keeps
-- ARGV[9] listed (ms): how long it is kept after the latest
-- ARGV[10] written_max (writes): how many of the shard's are kept
-- ARGV[11] before_max (records): how many of before are kept
-- ARGV[12] before_bytes_max (bytes): how many of them in all
-- ARGV[13] before_kept (ms): how long they are kept after the latest
-- ARGV[14] noted_max (records): how many the ledger keeps
-- ARGV[15] noted (ms): how long it keeps them
-- ARGV[16] described: what it has of the write, beside the epoch; empty: it has nothing
-- ARGV[17] stale: number of members of the index that the record before had, and the new one has not
-- ARGV   those members, then all members of the new record
-- Returns the new epoch, the time of the write (Unix ms) or one more than before if that is later;
-- or -1 CONFLICT when the customer was written in between.
-- Guarantee: a decision planned with an older epoch is refused from here on, also after a failover
-- that lost writes: the next write repeats no epoch that a lost one had. Lists of another type are as good
-- as lost, and make way.
local CONFLICT = -1
local HEAD = 9
local ARGV_HEAD = 17
-- @include "refuse_moved"
-- @include "read_epoch"
-- @include "next_epoch"
-- @include "clear_unless"
-- @include "write_index"
-- @include "append_event"
-- @include "list_change"
-- @include "note_write"
-- @include "keep_before"
-- @include "note_in_ledger"

local moved = refuse_moved()
if moved then return moved end

local before = read_epoch(KEYS[2])
if before ~= tonumber(ARGV[1]) then return CONFLICT end
for i = 3, 4 do clear_unless('zset', KEYS[i]) end
local epoch = next_epoch(before)
local was = redis.pcall('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], string.format('%.0f', epoch))
redis.call('ZADD', KEYS[3], 0, ARGV[3])
write_index(KEYS[4], ARGV_HEAD + 1, tonumber(ARGV[17]))
for i = HEAD + 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
if ARGV[7] ~= '' then
  list_change(KEYS[6], epoch, ARGV[7], ARGV[8], ARGV[9])
  note_write(KEYS[7], epoch, ARGV[3], ARGV[10], ARGV[9])
  if type(was) == 'string' then keep_before(KEYS[8], epoch, was, ARGV[11], ARGV[12], ARGV[13]) end
end
local moved = string.format('%.0f', epoch)
if ARGV[16] ~= '' then note_in_ledger(KEYS[9], redis.call('TIME'), { epoch }, ARGV[14], ARGV[15], ARGV[16]) end
append_event(KEYS[5], ARGV[4], ARGV[5], 'customer', ARGV[3], 'epoch', moved, 'actor', ARGV[6])
return epoch
