-- Notes a step of moving shards; on one server all tags of the catalog get the number of the step with it.
--
-- KEYS[1] meta: hash of how the store is laid out
-- KEYS[2] head: hash of the catalog version in force: version, digest; only with keys of tags
-- KEYS[3] gone: tag of the catalog in the shard that takes nothing from now on; only with keys of tags
-- KEYS[4..] catalog: tag of the version in force, per shard that takes something
-- ARGV[1] layout: that must be there
-- ARGV[2] step: the number that must be there; empty: none
-- ARGV[3] mark: for the shard that is gone; empty: there is none
-- ARGV[4] next: what stands at the end of the tags from now on
-- ARGV[5] fields: number of words that follow, names and values in turns
-- ARGV   those words, then names of fields that are not needed any more
-- Returns 1 DONE, or 0 CONFLICT: another layout or step is there
-- Guarantee: decisions that were planned before the step are refused from here on, on one server all of them.
local DONE, CONFLICT = 1, 0
local FIRST_SHARD_KEY = 4
local ARGV_HEAD = 5
-- @include "write_tags"

local found = redis.call('HMGET', KEYS[1], 'layout', 'step')
if found[1] ~= ARGV[1] or (found[2] or '') ~= ARGV[2] then return CONFLICT end
local words = tonumber(ARGV[5])
redis.call('HSET', KEYS[1], unpack(ARGV, ARGV_HEAD + 1, ARGV_HEAD + words))
if #ARGV > ARGV_HEAD + words then redis.call('HDEL', KEYS[1], unpack(ARGV, ARGV_HEAD + words + 1)) end
if #KEYS == 1 then return DONE end
if ARGV[3] ~= '' then redis.call('SET', KEYS[3], ARGV[3]) end
local head = redis.call('HMGET', KEYS[2], 'version', 'digest')
if head[1] and head[2] then write_tags(FIRST_SHARD_KEY, head[1], head[2], ARGV[4]) end
return DONE
