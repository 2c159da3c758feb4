-- Keeps what a customer's record was before a write, by the write's epoch: the latest, so many, and so many bytes in all.
-- @include "clear_unless"
local function keep_before(key, epoch, record, kept_max, bytes_max, kept_ms)
  clear_unless('hash', key)
  redis.call('HSET', key, string.format('%.0f', epoch), record)
  local epochs, bytes = redis.call('HKEYS', key), 0
  table.sort(epochs, function(one, other) return tonumber(one) > tonumber(other) end)
  for i, each in ipairs(epochs) do
    bytes = bytes + redis.call('HSTRLEN', key, each)
    if i > tonumber(kept_max) or bytes > tonumber(bytes_max) then redis.call('HDEL', key, each) end
  end
  redis.call('PEXPIRE', key, kept_ms)
end
