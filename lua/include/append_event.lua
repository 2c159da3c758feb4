-- Appends an event to a stream and drops what is more or older than is kept. Its id is the time and a number that
-- grows by one with every event, so that a reader sees where events are missing.
-- @include "clear_unless"
-- @include "now_ms"
local function append_event(key, kept_max, kept_ms, ...)
  clear_unless('stream', key)
  local at, number = now_ms(), 1
  local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  if last then
    local ms, before = string.match(last[1], '^(%d+)-(%d+)$')
    at, number = math.max(at, tonumber(ms)), tonumber(before) + 1
  end
  redis.call('XADD', key, 'MAXLEN', '~', kept_max, string.format('%.0f-%.0f', at, number), ...)
  redis.call('XTRIM', key, 'MINID', string.format('%.0f', at - kept_ms))
  redis.call('PEXPIRE', key, kept_ms)
end
