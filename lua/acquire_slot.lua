-- Acquires a slot, and settles a charge with it: both, or nothing changes.
--
-- KEYS[1] ends: sorted set of the ids of a feature's slots, by when they end (Unix ms)
-- KEYS[2] quantities: hash of what each of them holds, by id; and what all of them do, in the empty field
-- KEYS[3] record: what was taken under the id of the slot, as check_and_consume keeps it under an idempotency key
-- KEYS   then those of check_and_consume, for one charge without a key
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] id: of the slot
-- ARGV[2] quantity: that it is to hold; 0: none is to be acquired
-- ARGV[3] cap: most that all slots may hold
-- ARGV[4] most: slots that there may be
-- ARGV[5] ttl (ms): when it ends, from now on
-- ARGV[6] kept (ms): how long the record is remembered
-- ARGV[7] fingerprint: of the call's parameters, FINGERPRINT_LENGTH characters
-- ARGV[8] memo: what the caller needs to return the decision again
-- ARGV   then those of check_and_consume, with detailed limits
-- Returns an array: an outcome, then
--    1 HELD         what slots held before, when this one ends (Unix ms), and the answer of check_and_consume
--    0 FULL         what slots hold, when enough of them end (Unix ms; 0: never), and that answer to a check
--    3 NOT_HELD     what slots hold, 0, and that answer, which has a reason: or the quantity is 0
--    2 REPLAYED     the record without its fingerprint, when the slot ends (Unix ms)
--   -3 MISMATCH, -8 ENDED (held under this id before, and not any more), -9 TOO_MANY    nothing
-- Guarantee: slots never hold more than the cap, by the store's clock. A slot that is not HELD changes no counter,
-- and one whose charge is not ALLOWED is not HELD. Slots that have ended are removed, and nothing else.
local KEYS_HEAD, ARGS_HEAD = 3, 8
local FINGERPRINT_LENGTH = 16
local HELD, FULL, NOT_HELD, REPLAYED, MISMATCH, ENDED, TOO_MANY = 1, 0, 3, 2, -3, -8, -9
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "drop_ended"
-- @include "frees_at"
-- @include "expire_slots"

local moved = refuse_moved()
if moved then return moved end

local function settle(KEYS, ARGV)
-- @body "check_and_consume"
end

local ends, quantities, now = KEYS[1], KEYS[2], now_ms()
local stored = redis.call('MGET', KEYS[3])[1]
if stored then
  if string.sub(stored, 1, FINGERPRINT_LENGTH) ~= ARGV[7] then return { MISMATCH } end
  local kind = redis.call('TYPE', ends).ok
  local ends_at = kind == 'zset' and tonumber(redis.call('ZSCORE', ends, ARGV[1]) or 0) or 0
  if ends_at <= now then return { ENDED } end
  return { REPLAYED, string.sub(stored, FINGERPRINT_LENGTH + 1), ends_at }
end

local quantity, cap = tonumber(ARGV[2]), tonumber(ARGV[3])
local used, count = drop_ended(ends, quantities, now)
local full = quantity > 0 and used + quantity > cap
local too_many = quantity > 0 and not full and count >= tonumber(ARGV[4])
local charge = { unpack(ARGV, ARGS_HEAD + 1) }
if full or too_many then charge[4] = 'check' end -- the verb of its terms
local reply = settle({ unpack(KEYS, KEYS_HEAD + 1) }, charge)
if reply.err then return reply end

if reply[1] >= 0 and too_many then return { TOO_MANY } end
if full then
  local frees = 0
  if quantity <= cap then frees = frees_at(ends, quantities, now, used + quantity - cap) end
  return { FULL, used, frees, unpack(reply) }
end
if quantity == 0 or reply[1] ~= 1 then return { NOT_HELD, used, 0, unpack(reply) } end

local ends_at = now + tonumber(ARGV[5])
redis.call('ZADD', ends, string.format('%.0f', ends_at), ARGV[1])
redis.call('HSET', quantities, ARGV[1], ARGV[2], '', string.format('%.0f', used + quantity))
expire_slots(ends, quantities)
local before = { string.format('%.0f@0', used) }
for i = 2, #reply, 2 do before[#before + 1] = string.format('%.0f@%.0f', reply[i], reply[i + 1]) end
local record = ARGV[7] .. '1' .. table.concat(before, ',') .. '|' .. ARGV[8]
redis.call('SET', KEYS[3], record, 'PX', ARGV[6])
return { HELD, used, ends_at, unpack(reply) }
