-- Settles entries of a journal in one shard: each once, in order, past every limit, as it has happened.
--
-- KEYS[1] reached: sequence of the last entry of the journal that this shard has settled
-- KEYS[2] ledger: stream of the shard
-- KEYS   then per entry:
--   epoch        the customer's epoch; absent or damaged: 0
--   record       of the customer
--   decision     only with a key: what was taken under the idempotency key
--   usage        per counter: usage of the period that the entry is of
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] kept (ms): how long `reached` is remembered
-- ARGV[2] kept_max (records): how many the ledger keeps, about
-- ARGV[3] kept_ledger (ms): how long it keeps them
-- ARGV[4] described: what the ledger is to have of the entries; empty: nothing
-- ARGV   then per entry:
--   sequence     of the entry; they grow
--   epoch        the customer's epoch as it was known
--   counters     number of counters
--   once         1: with a key, 0: without
--   fingerprint  as decision: of the call's parameters, FINGERPRINT_LENGTH characters
--   memo         as decision: what the caller needs to return the decision again
--   ttl          (ms) as decision: how long the key is remembered
-- ARGV   then per counter of the entry:
--   amount       (units) to take; negative: to give back, down to zero
--   expires_at   (Unix ms) of the usage key, fixed when it is made; 0: never; below 0 (ms): so long after the
--                latest take
-- Returns per entry a status:
--   0 BEFORE     settled by an earlier call
--   1 COUNTED    in at least one counter
--   2 REPLAYED   the store has taken it under its key
--   3 LATE       no counter of its period is kept any more
--   4 GONE       the customer was erased since
--  -6 DAMAGED    a usage key holds no usage; nothing of the entry is counted
-- Guarantee: an entry is counted at most once, whichever call comes first, as `reached` moves with it; and so it is
-- noted in the ledger.
local ENTRY_ARGS, COUNTER_ARGS, ONCE_ARGS = 4, 2, 3
local FINGERPRINT_LENGTH = 16
local BEFORE, COUNTED, REPLAYED, LATE, GONE, DAMAGED = 0, 1, 2, 3, 4, -6
local USED_MAX = 9000000000000000
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "read_epoch"
-- @include "note_in_ledger"

local moved = refuse_moved()
if moved then return moved end

local now = now_ms()
local reached = tonumber(redis.call('GET', KEYS[1]) or '0') or 0

-- Usage of a counter; nil: its key holds none.
local function used_of(name)
  local value = redis.pcall('GET', name) -- an error of a value of another type
  if not value then return 0 end
  local used = type(value) == 'string' and tonumber(value)
  if not used or used % 1 ~= 0 then return nil end
  return used
end

local function write(name, used, before, expires_at)
  local value = string.format('%.0f', used)
  if used == 0 then
    redis.call('DEL', name)
  elseif expires_at > 0 and before > 0 then
    redis.call('SET', name, value, 'KEEPTTL')
  elseif expires_at > 0 then
    redis.call('SET', name, value, 'PXAT', string.format('%.0f', expires_at))
  elseif expires_at < 0 then
    redis.call('SET', name, value, 'PX', string.format('%.0f', -expires_at))
  else
    redis.call('SET', name, value)
  end
end

local function settle(key, arg, counters, once)
  local epoch = read_epoch(KEYS[key])
  if epoch ~= tonumber(ARGV[arg + 1]) and redis.call('EXISTS', KEYS[key + 1]) == 0 then return GONE end
  local usage_key, once_arg, keep = key + 2 + once, arg + ENTRY_ARGS, false
  local counter_arg = once_arg + once * ONCE_ARGS
  if once == 1 then
    local stored = redis.pcall('GET', KEYS[key + 2])
    local taken = type(stored) == 'string' and string.find(stored, '^1%d', FINGERPRINT_LENGTH + 1)
    keep = not taken
    if taken and string.sub(stored, 1, FINGERPRINT_LENGTH) == ARGV[once_arg] then return REPLAYED end
  end
  local before = {}
  for i = 1, counters do
    before[i] = used_of(KEYS[usage_key + i - 1])
    if not before[i] then return DAMAGED end
  end
  local status, usage = LATE, {}
  for i = 1, counters do
    local name, at = KEYS[usage_key + i - 1], counter_arg + (i - 1) * COUNTER_ARGS
    local amount, expires_at = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
    usage[i] = string.format('%.0f', before[i])
    if expires_at <= 0 or expires_at > now then
      status = COUNTED
      write(name, math.max(0, math.min(before[i] + amount, USED_MAX)), before[i], expires_at)
    end
  end
  if keep then
    local decision = ARGV[once_arg] .. '1' .. table.concat(usage, ',') .. '|' .. ARGV[once_arg + 1]
    redis.call('SET', KEYS[key + 2], decision, 'PX', ARGV[once_arg + 2])
  end
  return status
end

local reply, key, arg, noted = {}, 3, 5, false
while ARGV[arg] do
  local sequence, counters, once = tonumber(ARGV[arg]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3])
  if sequence <= reached then
    reply[#reply + 1] = BEFORE
  else
    reply[#reply + 1] = settle(key, arg, counters, once)
    noted = noted or reply[#reply] == COUNTED or reply[#reply] == LATE
    reached = sequence
  end
  key = key + 2 + once + counters
  arg = arg + ENTRY_ARGS + counters * COUNTER_ARGS + once * ONCE_ARGS
end
if key ~= #KEYS + 1 or arg ~= #ARGV + 1 then return redis.error_reply('QUOTAD_ARGS arguments do not match the keys') end
redis.call('SET', KEYS[1], string.format('%.0f', reached), 'PX', ARGV[1])
if noted and ARGV[4] ~= '' then
  note_in_ledger(KEYS[2], redis.call('TIME'), reply, ARGV[2], ARGV[3], ARGV[4])
end
return reply
