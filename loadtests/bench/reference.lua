-- The least that counts exactly: per key, take the quantity when the limit has room for it.
-- KEYS[i] usage. ARGV per key: quantity, limit, expires_at (Unix ms).
-- Returns per key: 1 allowed or 0 denied, and usage afterwards.
local answers = {}
for i, key in ipairs(KEYS) do
  local quantity = tonumber(ARGV[3 * i - 2])
  local used = tonumber(redis.call('GET', key) or 0)
  local allowed = 0
  if used + quantity <= tonumber(ARGV[3 * i - 1]) then
    allowed = 1
    used = redis.call('INCRBY', key, quantity)
    if used == quantity then redis.call('PEXPIREAT', key, ARGV[3 * i]) end
  end
  answers[2 * i - 1], answers[2 * i] = allowed, used
end
return answers
