-- What some slots hold together; one whose quantity is lost holds 1.
local function held_by(quantities, ids)
  local held, together = 0, 1000
  for first = 1, #ids, together do
    local found = redis.call('HMGET', quantities, unpack(ids, first, math.min(first + together - 1, #ids)))
    for i = 1, #found do held = held + (tonumber(found[i]) or 1) end
  end
  return held
end
