-- Brings counters of one customer back to what the ledger has of them: adds what they have less than that.
--
-- KEYS[1] rebuilt: how often that was done
-- KEYS[2] corrections: sorted set of the customer's corrections, by time (Unix ms)
-- KEYS[3] ledger: stream of the customer's shard
-- KEYS[4..] usage: per counter, usage of its period
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] before: how often it had been done when the counters were compared
-- ARGV[2] remembered (ms): how long that is kept
-- ARGV[3] most: corrections that are kept, the latest
-- ARGV[4] kept (ms): how long, after the latest
-- ARGV[5] kept_max (records): how many the ledger keeps, about
-- ARGV[6] kept_ledger (ms): how long it keeps them
-- ARGV[7] described: what the ledger is to have of it
-- ARGV   then per counter:
--   amount       (units) to add; negative: to take off, down to zero
--   expires_at   (Unix ms) of the usage key, fixed when it is made; 0: never; below 0 (ms): so long after the
--                latest take
--   closes_at    (Unix ms) of a window that opens at first use, where none is open; 0: of any other
--   correction   what the list of corrections has of it
-- Returns 1 DONE; 0 CHANGED, it was done since; or -6 DAMAGED, a usage key holds no usage
-- Guarantee: all counters or none. What is counted meanwhile stays counted, as the difference to the ledger stays the
-- same. What is done once is not done again. A counter whose period has ended is left alone.
local DONE, CHANGED, DAMAGED = 1, 0, -6
local FIRST_USAGE_KEY = 4
local ARGV_HEAD = 7
local COUNTER_ARGS = 4
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "add_correction"
-- @include "note_in_ledger"

local moved = refuse_moved()
if moved then return moved end

local rebuilt = redis.pcall('GET', KEYS[1])
if type(rebuilt) ~= 'string' then rebuilt = '0' end
if rebuilt ~= ARGV[1] then return CHANGED end

local now, counters = now_ms(), #KEYS - FIRST_USAGE_KEY + 1
local used, closes = {}, {}
for i = 1, counters do
  local value = redis.pcall('GET', KEYS[FIRST_USAGE_KEY - 1 + i]) or '0'
  if type(value) ~= 'string' then return DAMAGED end
  used[i], closes[i] = string.match(value, '^(%d+)@?(%d*)$')
  used[i] = tonumber(used[i])
  if not used[i] then return DAMAGED end
end

for i = 1, counters do
  local name, arg = KEYS[FIRST_USAGE_KEY - 1 + i], ARGV_HEAD + 1 + (i - 1) * COUNTER_ARGS
  local expires_at, closes_at = tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local open, before = tonumber(closes[i]), used[i]
  if open and open <= now then before, open = 0, nil end
  local after = before + tonumber(ARGV[arg])
  if (expires_at <= 0 or expires_at > now) and (closes_at == 0 or closes_at > now) then
    local value = string.format('%.0f', after)
    if closes_at > 0 then value = string.format('%s@%.0f', value, open or closes_at) end
    if after <= 0 then
      redis.call('DEL', name)
    elseif expires_at > 0 and before > 0 then
      redis.call('SET', name, value, 'KEEPTTL')
    elseif expires_at > 0 then
      redis.call('SET', name, value, 'PXAT', ARGV[arg + 1])
    elseif expires_at < 0 then
      redis.call('SET', name, value, 'PX', string.format('%.0f', -expires_at))
    else
      redis.call('SET', name, value)
    end
    add_correction(KEYS[2], ARGV[arg + 3], now, ARGV[3], ARGV[4])
  end
end
redis.call('SET', KEYS[1], string.format('%.0f', tonumber(rebuilt) + 1), 'PX', ARGV[2])
note_in_ledger(KEYS[3], redis.call('TIME'), { DONE }, ARGV[5], ARGV[6], ARGV[7])
return DONE
