-- A server's answer to the candidate of a publish: compiled, or why it cannot be.
--
-- KEYS[1] prepared: hash of the candidate: version, digest, source_digest, token
-- KEYS[2] acks: hash of the servers that have answered
-- ARGV[1] token: of the candidate that the answer is about
-- ARGV[2] server: its id
-- ARGV[3] problem: why it cannot read it; empty: it is ready to decide by it
-- Returns 1: noted, or 0: there is no such candidate any more
-- Guarantee: the answer lapses with the candidate.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[2], math.max(redis.call('PTTL', KEYS[1]), 1))
return 1
