-- When enough slots of a feature have ended, if none is extended, for so much more (Unix ms); 0: there is room, or
-- never will be.
-- @include "held_by"
local function frees_at(ends, quantities, now, missing)
  local seen, together = 0, 100
  while missing > 0 do
    local next_ones = redis.call('ZRANGE', ends, '(' .. now, '+inf', 'BYSCORE', 'LIMIT', seen, together, 'WITHSCORES')
    if #next_ones == 0 then return 0 end
    for i = 1, #next_ones, 2 do
      missing = missing - held_by(quantities, { next_ones[i] })
      if missing <= 0 then return tonumber(next_ones[i + 1]) end
    end
    seen = seen + together
  end
  return 0
end
