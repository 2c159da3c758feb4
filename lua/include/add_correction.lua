-- Adds a correction to the list of a customer; one that is there already keeps its time.
-- @include "clear_unless"
local function add_correction(key, correction, now, most, kept)
  clear_unless('zset', key)
  local added = redis.call('ZADD', key, 'NX', now, correction)
  redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
  redis.call('PEXPIRE', key, kept)
  return added
end
