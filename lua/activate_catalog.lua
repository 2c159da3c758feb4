-- Publish, second step: puts the candidate in force in all shards at once, when all live servers have compiled it.
--
-- KEYS[1] head: hash of the version in force: version, digest
-- KEYS[2] record: where the record of the new version goes
-- KEYS[3] versions: sorted set of source digests, by the newest version from those files
-- KEYS[4] dropped: record of the version that leaves the history
-- KEYS[5] prepared: hash of the candidate: version, digest, source_digest, token
-- KEYS[6] candidate: its record
-- KEYS[7] acks: hash of the servers that have compiled it: empty, or why one could not
-- KEYS[8] servers: sorted set of servers, by when they last gave a sign of life (Unix ms)
-- KEYS[9] events: stream of catalog versions that came into force
-- KEYS[10] ledger: stream of publishes
-- KEYS[11..] catalog: tag of the version in force, per shard
-- ARGV[1] token: of the candidate
-- ARGV[2] history_max (versions): how many records are kept
-- ARGV[3] alive (ms): a server is live for so long after a sign of life
-- ARGV[4] now: 1 does not wait for servers
-- ARGV[5] kept_max (events): how many the stream keeps, about
-- ARGV[6] kept (ms): how long the stream keeps them
-- ARGV[7] actor: whose doing it is
-- ARGV[8] noted_max (records): how many the ledger keeps
-- ARGV[9] noted (ms): how long it keeps them
-- ARGV[10] described: what it has of the publish, beside the version
-- ARGV[11] step: what stands at the end of tags, while shards move; empty: they do not
-- Returns {outcome, version in force, servers without an answer, answers}; answers are server and problem in turns
--   1 PUBLISHED; 5 WAITING: nothing was done, a live server has not answered yet; -3 LAPSED: there is no such candidate
-- or QUOTAD_MOVED: the caller knows other shards than there are
-- Guarantee: when it returns PUBLISHED, no shard has the old version in force any more.
local PUBLISHED, WAITING, LAPSED = 1, 5, -3
local FIRST_SHARD_KEY = 11
-- @include "now_ms"
-- @include "write_tags"
-- @include "append_event"
-- @include "note_in_ledger"
-- @include "refuse_other_step"

local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '') or 0
local prepared = redis.call('HMGET', KEYS[5], 'version', 'digest', 'source_digest', 'token')
if prepared[4] ~= ARGV[1] or tonumber(prepared[1] or '') ~= version + 1 or redis.call('EXISTS', KEYS[6]) == 0 then
  return { LAPSED, version, {}, {} }
end

local answers, answered = redis.call('HGETALL', KEYS[7]), {}
for i = 1, #answers, 2 do answered[answers[i]] = true end
local missing = {}
local since = string.format('%.0f', now_ms() - ARGV[3])
local live = redis.pcall('ZRANGEBYSCORE', KEYS[8], since, '+inf') -- an error of what is no list: until the next sign
for _, server in ipairs(live) do
  if not answered[server] then missing[#missing + 1] = server end
end
if #missing > 0 and ARGV[4] ~= '1' then return { WAITING, version, missing, answers } end

local moved = refuse_other_step(FIRST_SHARD_KEY, ARGV[11])
if moved then return moved end
version = version + 1
redis.call('RENAME', KEYS[6], KEYS[2])
redis.call('PERSIST', KEYS[2])
redis.call('ZADD', KEYS[3], version, prepared[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', version - tonumber(ARGV[2]))
redis.call('DEL', KEYS[4], KEYS[5], KEYS[7])
write_tags(FIRST_SHARD_KEY, version, prepared[2], ARGV[11])
redis.call('HSET', KEYS[1], 'version', version, 'digest', prepared[2])
note_in_ledger(KEYS[10], redis.call('TIME'), { version }, ARGV[8], ARGV[9], ARGV[10])
append_event(KEYS[9], ARGV[5], ARGV[6], 'catalog', version, 'actor', ARGV[7])
return { PUBLISHED, version, missing, answers }
