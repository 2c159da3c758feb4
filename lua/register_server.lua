-- A sign of life of a server, which publishers wait for.
--
-- KEYS[1] servers: sorted set of servers, by when they last gave a sign of life (Unix ms)
-- ARGV[1] server: its id
-- ARGV[2] kept (ms): servers without a sign of life for so long are taken off the list
-- Returns how many servers are on the list
-- Guarantee: the list holds no server that has been silent for longer than it is kept. What is there instead of a
-- list makes way: servers give their signs again.
-- @include "clear_unless"
-- @include "now_ms"

clear_unless('zset', KEYS[1])
local now = now_ms()
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - tonumber(ARGV[2])))
return redis.call('ZCARD', KEYS[1])
