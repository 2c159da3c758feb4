-- Reads what the slots of features hold, all of one customer.
--
-- KEYS   then per feature:
--   ends         sorted set of the ids of its slots, by when they end (Unix ms)
--   quantities   hash of what each of them holds, by id; and what all of them do, in the empty field
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV   then per feature:
--   cap          most that all slots may hold
--   quantity     that there is to be room for
-- Returns per feature what its slots hold, and when enough of them end (Unix ms); 0: there is room, or never will be
-- Guarantee: nothing is written.
-- @include "refuse_moved"
-- @include "now_ms"
-- @include "live_slots"
-- @include "frees_at"
local FEATURE_ARGS = 2

local moved = refuse_moved()
if moved then return moved end

local now, found = now_ms(), {}
for key = 1, #KEYS, FEATURE_ARGS do
  local ends, quantities = KEYS[key], KEYS[key + 1]
  local used = live_slots(ends, quantities, now)
  local cap, quantity, frees = tonumber(ARGV[key]), tonumber(ARGV[key + 1]), 0
  if used > 0 and quantity <= cap and used + quantity > cap then
    frees = frees_at(ends, quantities, now, used + quantity - cap)
  end
  found[key], found[key + 1] = used, frees
end
return found
