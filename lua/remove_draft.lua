-- Removes a person's draft of the catalog, unless another save came first.
--
-- KEYS[1] draft: hash of the draft: revision, data, asked
-- KEYS[2] drafts: sorted set of the people who have one, by when they saved it (Unix ms)
-- ARGV[1] owner: whose draft it is
-- ARGV[2] expected: the revision that is removed
-- Returns 1 REMOVED, also when there was none, or 2 CONFLICT
-- Guarantee: what was saved over that revision stays.
local REMOVED, CONFLICT = 1, 2
-- @include "clear_unless"
clear_unless('hash', KEYS[1])
clear_unless('zset', KEYS[2])
local revision = redis.call('HGET', KEYS[1], 'revision')
if revision and tonumber(revision) ~= tonumber(ARGV[2]) then return CONFLICT end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return REMOVED
