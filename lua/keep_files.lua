-- Keeps the files that a catalog was published from, and drops those of the oldest.
--
-- KEYS[1] files: hash of texts by the digest of what they mean
-- KEYS[2] order: sorted set of these digests, by when they were kept last (Unix ms)
-- ARGV[1] digest: of the catalog as files
-- ARGV[2] texts: the files
-- ARGV[3] most: digests that are kept, the latest
-- Returns how many were dropped
-- Guarantee: no more than `most` are kept. A key that holds something of another type is as good as lost, and makes
-- way.
-- @include "now_ms"
-- @include "clear_unless"
clear_unless('hash', KEYS[1])
clear_unless('zset', KEYS[2])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now_ms(), ARGV[1])
local dropped = redis.call('ZRANGE', KEYS[2], 0, -ARGV[3] - 1)
for _, digest in ipairs(dropped) do
  redis.call('HDEL', KEYS[1], digest)
  redis.call('ZREM', KEYS[2], digest)
end
return #dropped
