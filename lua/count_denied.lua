-- Counts what a customer was denied, beside the counters that had no room for it.
--
-- KEYS[1] epoch: of the customer; absent or damaged: 0
-- KEYS[2] record: of the customer
-- KEYS[3..] denied: per counter, the quantity that it had no room for
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV[1] epoch: of the customer when it was denied
-- ARGV[2] most: (units) what is denied is counted up to here
-- ARGV   then per counter:
--   amount       (units) denied since it was counted last
--   expires_at   (Unix ms) when the counter expires; 0: never; below 0 (ms): so long from now on
-- Returns how many were counted: all, or none of a customer that was erased since
-- Guarantee: no counter of usage is touched. A value that is no number counts as 0.
-- @include "refuse_moved"
-- @include "read_epoch"
local FIRST_DENIED_KEY = 3
local COUNTER_ARGS = 2
local ARGV_HEAD = 2

local moved = refuse_moved()
if moved then return moved end

if read_epoch(KEYS[1]) ~= tonumber(ARGV[1]) and redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local most = tonumber(ARGV[2])
local arg = ARGV_HEAD + 1
for key = FIRST_DENIED_KEY, #KEYS do
  local before = tonumber(redis.call('MGET', KEYS[key])[1] or 0) or 0
  local amount = string.format('%.0f', math.min(before + tonumber(ARGV[arg]), most))
  local expires_at = tonumber(ARGV[arg + 1])
  if expires_at > 0 then
    redis.call('SET', KEYS[key], amount, 'PXAT', ARGV[arg + 1])
  elseif expires_at < 0 then
    redis.call('SET', KEYS[key], amount, 'PX', string.format('%.0f', -expires_at))
  else
    redis.call('SET', KEYS[key], amount)
  end
  arg = arg + COUNTER_ARGS
end
return #KEYS - FIRST_DENIED_KEY + 1
