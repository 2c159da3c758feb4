-- Writes head and tags again from a version that the history has; compare-and-set.
--
-- KEYS[1] head: hash of the version in force: version, digest; lost, damaged or older than another trace
-- KEYS[2] events: stream of catalog versions that came into force
-- KEYS[3..] catalog: tag of the version in force, per shard
-- ARGV[1] seen_version: what the head holds; empty: nothing that can be read
-- ARGV[2] seen_digest: as seen_version
-- ARGV[3] version: the newest that was ever in force, as far as can be seen; 0: none, only what is damaged goes
-- ARGV[4] digest: of its document
-- ARGV[5] tag: of the version, what decisions name it by
-- ARGV[6] kept_max (events): how many the stream keeps, about
-- ARGV[7] kept (ms): how long the stream keeps them
-- ARGV[8] step: what stands at the end of the tag, while shards move; empty: they do not
-- Returns how many tags were written again, or -1 CONFLICT: the head has changed since it was seen;
-- or QUOTAD_MOVED: the caller knows other shards than there are
-- Guarantee: the version on the head never goes back.
local CONFLICT = -1
local FIRST_SHARD_KEY = 3
-- @include "append_event"
-- @include "refuse_other_step"

local version, digest = '', ''
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  local head = redis.call('HMGET', KEYS[1], 'version', 'digest')
  version, digest = head[1] or '', head[2] or ''
end
if version ~= ARGV[1] or digest ~= ARGV[2] then return CONFLICT end
if (tonumber(version) or 0) > tonumber(ARGV[3]) then return CONFLICT end

local moved = refuse_other_step(FIRST_SHARD_KEY, ARGV[8], true)
if moved then return moved end
if version ~= ARGV[3] or digest ~= ARGV[4] then
  redis.call('DEL', KEYS[1])
  if ARGV[3] == '0' then return 0 end
  redis.call('HSET', KEYS[1], 'version', ARGV[3], 'digest', ARGV[4])
end
local written = 0
for i = FIRST_SHARD_KEY, #KEYS do
  if redis.call('TYPE', KEYS[i]).ok ~= 'string' or redis.call('GET', KEYS[i]) ~= ARGV[5] then
    redis.call('SET', KEYS[i], ARGV[5])
    written = written + 1
  end
end
append_event(KEYS[2], ARGV[6], ARGV[7], 'catalog', ARGV[3])
return written
