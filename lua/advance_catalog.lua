-- Puts a catalog version in force in one shard of a cluster, after it was put on the head; only forward.
--
-- KEYS[1] catalog: tag of the version in force in the shard
-- ARGV[1] tag: of the version on the head, what decisions name it by
-- ARGV[2] version: its number
-- Returns 1: written, as there was none; 2: written, an older one was in force; 0: it was in force; -1: a newer one is;
-- -2: the shard has moved, or is being moved
-- Guarantee: the version in force in a shard never goes back. At the same number the tag of the caller wins, which
-- has seen the head: a failover may have given the number to other content.
local found = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) or ''
if found == ARGV[1] then return 0 end
if string.sub(found, 1, 6) == 'moved:' then return -2 end
local version = tonumber(string.match(found, '^(%d+)%.') or '') or 0
if version > tonumber(ARGV[2]) then return -1 end
redis.call('SET', KEYS[1], ARGV[1])
return version > 0 and 2 or 1
