-- Publish, first step: keeps a candidate for the next version, for servers to compile; it is in force nowhere.
--
-- KEYS[1] head: hash of the version in force: version, digest
-- KEYS[2] versions: sorted set of source digests, by the newest version from those files
-- KEYS[3] prepared: hash of the candidate: version, digest, source_digest, token; gone: there is none
-- KEYS[4] candidate: the candidate's record
-- KEYS[5] acks: hash of the servers that have compiled the candidate, or could not
-- KEYS[6..] catalog: tag of the version in force, per shard
-- ARGV[1] expected_version: the version that must be in force; 0: none was ever published
-- ARGV[2] digest: of the document; publishing the one in force is a no-op
-- ARGV[3] source_digest: of the document without what a publish carries over from the one before
-- ARGV[4] record: of the new version, expected_version + 1
-- ARGV[5] only_new: 1 refuses files that the history already knows
-- ARGV[6] anew: 1 publishes also what is in force, whose record is lost
-- ARGV[7] token: of this publish
-- ARGV[8] lapse (ms): how long the candidate waits to be activated
-- ARGV[9] step: what stands at the end of tags, while shards move; empty: they do not
-- Returns {outcome, version in force, newest version from the same files, token}
--   2 UNCHANGED, 3 IN_HISTORY, -1 CONFLICT, and
--   4 PREPARED with the token that activates it: that of another publish with the same content, if it came first
--   -2 BUSY: another candidate waits to be activated
-- or QUOTAD_MOVED: the caller knows other shards than there are
-- Guarantee: changes neither head nor history, and no tag but one that differs from the head. A key that holds
-- something of another type instead of the history or a candidate is as good as lost, and makes way.
local UNCHANGED, IN_HISTORY, PREPARED, CONFLICT, BUSY = 2, 3, 4, -1, -2
local FIRST_SHARD_KEY = 6
-- @include "clear_unless"
-- @include "write_tags"
-- @include "refuse_other_step"

local moved = refuse_other_step(FIRST_SHARD_KEY, ARGV[9])
if moved then return moved end
clear_unless('zset', KEYS[2])
clear_unless('hash', KEYS[3])

local head = redis.call('HMGET', KEYS[1], 'version', 'digest')
local version = tonumber(head[1] or '') or 0
if head[2] == ARGV[2] and ARGV[6] == '0' then
  write_tags(FIRST_SHARD_KEY, version, ARGV[2], ARGV[9]) -- also mends the tag of a shard that was lost
  return { UNCHANGED, version, version, '' }
end
if version ~= tonumber(ARGV[1]) then return { CONFLICT, version, 0, '' } end

local known = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[3]) or 0)
if ARGV[5] == '1' and known > 0 then return { IN_HISTORY, version, known, '' } end

local other = redis.call('HMGET', KEYS[3], 'version', 'digest', 'token')
if other[3] and tonumber(other[1] or '') == version + 1 and redis.call('EXISTS', KEYS[4]) == 1 then
  if other[2] ~= ARGV[2] then return { BUSY, version, known, '' } end
  redis.call('PEXPIRE', KEYS[3], ARGV[8])
  redis.call('PEXPIRE', KEYS[4], ARGV[8])
  redis.call('PEXPIRE', KEYS[5], ARGV[8])
  return { PREPARED, version, known, other[3] }
end

redis.call('DEL', KEYS[3], KEYS[5])
redis.call('HSET', KEYS[3], 'version', version + 1, 'digest', ARGV[2], 'source_digest', ARGV[3], 'token', ARGV[7])
redis.call('PEXPIRE', KEYS[3], ARGV[8])
redis.call('SET', KEYS[4], ARGV[4], 'PX', ARGV[8])
return { PREPARED, version, known, ARGV[7] }
