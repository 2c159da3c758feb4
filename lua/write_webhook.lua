-- Writes a receiver of webhooks, a new one or a changed one, or removes it.
--
-- KEYS[1] all: hash of receivers by id
-- KEYS[2] ledger: stream of their writes
-- ARGV[1] noted_max (records): how many the ledger keeps
-- ARGV[2] noted (ms): how long it keeps them
-- ARGV[3] described: what it has of the write, beside the number of receivers
-- ARGV[4] id: of the receiver
-- ARGV[5] receiver: empty: it is removed
-- Returns how many there are
-- Guarantee: the ledger has one record of the write, and none where nothing was there to be removed.
-- @include "note_in_ledger"
local written = true
if ARGV[5] == '' then
  written = redis.call('HDEL', KEYS[1], ARGV[4]) == 1
else
  redis.call('HSET', KEYS[1], ARGV[4], ARGV[5])
end
local count = redis.call('HLEN', KEYS[1])
if written then
  note_in_ledger(KEYS[2], redis.call('TIME'), { count }, ARGV[1], ARGV[2], ARGV[3])
end
return count
