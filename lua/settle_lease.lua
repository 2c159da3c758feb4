-- Settles a lease: takes units from its counters or gives some back, and writes down what it holds from now on.
--
-- KEYS[1] catalog: tag of the catalog version in force in the customer's shard
-- KEYS[2] epoch: the customer's; absent or damaged: 0
-- KEYS[3] holds: hash of what the customer has on hold, by id
-- KEYS[4] ends: sorted set of these ids, by when they end (Unix ms)
-- KEYS[5] last: what the lease is remembered by after it was released
-- KEYS[6] ledger: stream of the customer's shard
-- KEYS[7..] usage: per limit, usage of the lease's period
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] not_after (Unix ms): from then on nothing is changed, as the caller has given up; 0: no such time
-- ARGV[2] tag: of the catalog version that this was planned with; empty: whichever is in force
-- ARGV[3] epoch: the customer's, that this was planned with; with a tag
-- ARGV[4] id: of the lease among the holds
-- ARGV[5] before: its record as the caller has read it; empty: it has none
-- ARGV[6] record: from now on; empty: it is released
-- ARGV[7] ends (Unix ms): from now on; when it is released, how long it is remembered (ms)
-- ARGV[8] memory: what it is remembered by when it is released
-- ARGV[9] quantity (units): to take from every counter; negative: to give back, down to zero
-- ARGV[10] most: of what one customer may have on hold
-- ARGV[11] ended (Unix ms): leases that ended by then are taken off the lists before a new one is put there
-- ARGV[12] prefix: of the ids of leases
-- ARGV[13] kept_max (records): how many the ledger keeps, about
-- ARGV[14] kept (ms): how long it keeps them
-- ARGV[15] described: what the ledger is to have of it; empty: nothing
-- ARGV   then per counter:
--   cap        (units) usage never passes it
--   expires_at (Unix ms) of the usage key, fixed when it is made; 0: never; below 0 (ms): so long after the latest
--              take
-- Returns {1 DONE, usage before per limit}; or {0 CHANGED, record, end, memory}: the record is another one than the
-- caller has read; or {-1 STALE_CATALOG}, {-2 STALE_CUSTOMER}, {-3 FULL}, {-4 STALE_CLOCK}, {-5 TOO_LATE}, {-6 DAMAGED},
-- {-7 NO_ROOM}
-- Guarantee: whatever is not DONE has changed nothing but the lists of leases that have ended, which stay counted
-- as used. What is DONE is in the ledger once, if it is to be.
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "read_epoch"
-- @include "note_in_ledger"
local DONE, CHANGED, STALE_CATALOG, STALE_CUSTOMER, FULL = 1, 0, -1, -2, -3
local STALE_CLOCK, TOO_LATE, DAMAGED, NO_ROOM = -4, -5, -6, -7
local FIRST_USAGE_KEY = 7
local COUNTER_ARGS = 2
local ARGV_HEAD = 15
local ENDED_MAX = 100

local moved = refuse_moved()
if moved then return moved end

local now, not_after = now_ms(), tonumber(ARGV[1])
if not_after > 0 and now > not_after then return { TOO_LATE } end
if ARGV[2] ~= '' then
  if redis.call('GET', KEYS[1]) ~= ARGV[2] then return { STALE_CATALOG } end
  if read_epoch(KEYS[2]) ~= tonumber(ARGV[3]) then return { STALE_CUSTOMER } end
end

local id, record, quantity = ARGV[4], ARGV[6], tonumber(ARGV[9])
local before = redis.call('HGET', KEYS[3], id) or ''
local memory = redis.call('GET', KEYS[5]) or ''
if before ~= ARGV[5] or (before == '' and memory ~= '') then
  return { CHANGED, before, redis.call('ZSCORE', KEYS[4], id) or '', memory }
end
if before == '' then
  local ended = redis.call('ZRANGE', KEYS[4], '-inf', ARGV[11], 'BYSCORE', 'LIMIT', 0, ENDED_MAX)
  for _, name in ipairs(ended) do
    if string.sub(name, 1, #ARGV[12]) == ARGV[12] then
      redis.call('HDEL', KEYS[3], name)
      redis.call('ZREM', KEYS[4], name)
    end
  end
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[10]) then return { FULL } end
end

local reply = { DONE }
local arg = ARGV_HEAD + 1
for key = FIRST_USAGE_KEY, #KEYS do
  local used = tonumber(redis.call('GET', KEYS[key]) or '0')
  if not used or used % 1 ~= 0 then return { DAMAGED } end
  local expires_at = tonumber(ARGV[arg + 1])
  if quantity > 0 then
    if used + quantity > tonumber(ARGV[arg]) then return { NO_ROOM } end
    if expires_at > 0 and expires_at <= now then return { STALE_CLOCK } end
  end
  reply[#reply + 1] = used
  arg = arg + COUNTER_ARGS
end

arg = ARGV_HEAD + 1
for key = FIRST_USAGE_KEY, #KEYS do
  local used, name, expires_at = reply[key - FIRST_USAGE_KEY + 2], KEYS[key], tonumber(ARGV[arg + 1])
  local after = used + quantity
  local value = string.format('%.0f', after)
  if quantity < 0 and after <= 0 then
    redis.call('DEL', name)
  elseif quantity ~= 0 and used > 0 and (quantity < 0 or expires_at > 0) then
    redis.call('SET', name, value, 'KEEPTTL')
  elseif quantity ~= 0 then
    if expires_at > 0 then
      redis.call('SET', name, value, 'PXAT', ARGV[arg + 1])
    elseif expires_at < 0 then
      redis.call('SET', name, value, 'PX', string.format('%.0f', -expires_at))
    else
      redis.call('SET', name, value)
    end
  end
  arg = arg + COUNTER_ARGS
end
if record ~= '' then
  redis.call('HSET', KEYS[3], id, record)
  redis.call('ZADD', KEYS[4], ARGV[7], id)
else
  redis.call('HDEL', KEYS[3], id)
  redis.call('ZREM', KEYS[4], id)
  redis.call('SET', KEYS[5], ARGV[8], 'PX', ARGV[7])
end
if ARGV[15] ~= '' then
  note_in_ledger(KEYS[6], redis.call('TIME'), reply, ARGV[13], ARGV[14], ARGV[15])
end
return reply
