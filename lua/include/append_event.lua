-- Appends an event to a stream and drops what is more or older than is kept. Its id is the time and a number that
-- grows by one with every event, so that a reader sees where events are missing. Of many in a second, one in 64 drops
-- what is older and lets the stream expire later, which costs half as much as all the rest.
-- @include "now_ms"
local BURST_MS_MAX, DROPS_ONE_OF_MAX = 1000, 64
local function append_event(key, kept_max, kept_ms, ...)
  local found = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if found.err then redis.call('DEL', key) end -- of another type, as good as lost
  local at, number, since = now_ms(), 1, BURST_MS_MAX
  if found[1] then
    local ms, before = string.match(found[1][1], '^(%d+)-(%d+)$')
    at, number = math.max(at, tonumber(ms)), tonumber(before) + 1
    since = at - tonumber(ms)
  end
  redis.call('XADD', key, 'MAXLEN', '~', kept_max, string.format('%.0f-%.0f', at, number), ...)
  if since >= BURST_MS_MAX or number % DROPS_ONE_OF_MAX == 0 then
    redis.call('XTRIM', key, 'MINID', string.format('%.0f', at - kept_ms))
    redis.call('PEXPIRE', key, kept_ms + 2 * BURST_MS_MAX)
  end
end
