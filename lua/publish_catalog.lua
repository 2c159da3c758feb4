-- Publishes a catalog as the next version, in all shards at once; compare-and-set, idempotent by digest.
--
-- KEYS[1] head: hash of the version in force: version, digest
-- KEYS[2] record: where the record of the new version goes
-- KEYS[3] versions: sorted set of source digests, by the newest version from those files
-- KEYS[4] dropped: record of the version that leaves the history
-- KEYS[5..] catalog: tag of the version in force, per shard
-- ARGV[1] expected_version: the version that must be in force; 0: none was ever published
-- ARGV[2] digest: of the document; publishing the one in force is a no-op
-- ARGV[3] source_digest: of the document without what a publish carries over from the one before
-- ARGV[4] record: of the new version, expected_version + 1
-- ARGV[5] only_new: 1 refuses files that the history already knows
-- ARGV[6] tag: of the new version, what decisions name it by
-- ARGV[7] history_max (versions): how many records are kept
-- ARGV[8] anew: 1 publishes also what is in force, whose record is lost
-- Returns {outcome, version in force, newest version from the same files}
--   1 PUBLISHED, 2 UNCHANGED, 3 IN_HISTORY, -1 CONFLICT
-- Guarantee: when it returns PUBLISHED, no shard has the old version in force any more.
local PUBLISHED, UNCHANGED, IN_HISTORY, CONFLICT = 1, 2, 3, -1
local FIRST_SHARD_KEY = 5
local DIGEST_IN_TAG = 12 -- characters; as the binding names a catalog

local head = redis.call('HMGET', KEYS[1], 'version', 'digest')
local version = tonumber(head[1] or 0)
if head[2] == ARGV[2] and ARGV[8] == '0' then
  -- Also mends the tag of a shard that was lost.
  local tag = version .. '.' .. string.sub(ARGV[2], 1, DIGEST_IN_TAG)
  for i = FIRST_SHARD_KEY, #KEYS do redis.call('SET', KEYS[i], tag) end
  return { UNCHANGED, version, version }
end
if version ~= tonumber(ARGV[1]) then return { CONFLICT, version, 0 } end

local known = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[3]) or 0)
if ARGV[5] == '1' and known > 0 then return { IN_HISTORY, version, known } end

version = version + 1
redis.call('SET', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[3], version, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', version - tonumber(ARGV[7]))
redis.call('DEL', KEYS[4])
for i = FIRST_SHARD_KEY, #KEYS do redis.call('SET', KEYS[i], ARGV[6]) end
redis.call('HSET', KEYS[1], 'version', version, 'digest', ARGV[2])
return { PUBLISHED, version, version }
