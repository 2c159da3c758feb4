-- Puts a change, after the epoch that it made, at the head of a list of the latest.
-- @include "clear_unless"
local function list_change(key, epoch, change, listed_max, listed_ms)
  clear_unless('list', key)
  redis.call('LPUSH', key, string.format('%.0f', epoch) .. ':' .. change)
  redis.call('LTRIM', key, 0, listed_max - 1)
  redis.call('PEXPIRE', key, listed_ms)
end
