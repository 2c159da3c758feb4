-- Saves a person's draft of the catalog, unless another save came first.
--
-- KEYS[1] draft: hash of the draft: revision, data, asked; expires
-- KEYS[2] drafts: sorted set of the people who have one, by when they saved it (Unix ms)
-- ARGV[1] owner: whose draft it is
-- ARGV[2] expected: the revision that is replaced; 0: there is none
-- ARGV[3] data: the draft
-- ARGV[4] kept (ms): how long, after the last save
-- ARGV[5] most: people who may have one
-- ARGV[6] asked: 1: another person is asked to publish it, else 0
-- Returns {outcome, revision}: 1 SAVED with the new revision, 2 CONFLICT with that of the other save, 3 FULL
-- Guarantee: no revision is given twice, also when a draft was discarded in between. A key that holds something of
-- another type is as good as lost, and makes way.
local SAVED, CONFLICT, FULL = 1, 2, 3
-- @include "now_ms"
-- @include "clear_unless"
clear_unless('hash', KEYS[1])
clear_unless('zset', KEYS[2])
local now = now_ms()
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '') or 0
if revision ~= tonumber(ARGV[2]) then return { CONFLICT, revision } end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
local known = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not known and redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[5]) then return { FULL, 0 } end
-- Microseconds: two saves may come in one millisecond, with the draft discarded in between.
local time = redis.call('TIME')
revision = math.max(revision + 1, time[1] * 1000000 + time[2])
redis.call('HSET', KEYS[1], 'revision', string.format('%.0f', revision), 'data', ARGV[3], 'asked', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[2], now, ARGV[1])
return { SAVED, revision }
