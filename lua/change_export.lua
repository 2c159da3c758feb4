-- Changes one field of a part of an export that another process may have, which then reads the record anew.
--
-- KEYS[1] record: hash of the part
-- ARGV[1] field: its name
-- ARGV[2] before: the value that it is to have
-- ARGV[3] after: the value that it gets; empty: it is removed
-- Returns 1 CHANGED; 0 OTHER: it has another value, or is gone, and nothing is changed
-- Guarantee: what the process that has the part has written meanwhile is not overwritten.
local OTHER, CHANGED = 0, 1

if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return OTHER end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('HINCRBY', KEYS[1], 'asked', 1)
return CHANGED
