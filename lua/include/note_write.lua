-- Notes a write in a sorted set of the latest of a shard.
-- @include "clear_unless"
local function note_write(key, epoch, customer_id, written_max, kept_ms)
  clear_unless('zset', key)
  local at = string.format('%.0f', epoch)
  redis.call('ZADD', key, at, at .. ':' .. customer_id)
  redis.call('ZREMRANGEBYRANK', key, 0, -1 - written_max)
  redis.call('PEXPIRE', key, kept_ms)
end
