-- Writes tokens, new ones and changed ones, together.
--
-- KEYS[1] all: hash of tokens by id
-- KEYS[2] writes: how often they were written
-- KEYS[3] ledger: stream of that
-- ARGV[1] noted_max (records): how many the ledger keeps
-- ARGV[2] noted (ms): how long it keeps them
-- ARGV[3] described: what it has of the write, beside the count
-- ARGV   then per token its id and the token
-- Returns how often they were written
-- Guarantee: the ledger has one record of the write, and none where nothing was written.
-- @include "note_in_ledger"
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
local writes = redis.call('INCR', KEYS[2])
note_in_ledger(KEYS[3], redis.call('TIME'), { writes }, ARGV[1], ARGV[2], ARGV[3])
return writes
