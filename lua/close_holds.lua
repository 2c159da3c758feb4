-- Takes reservations off a customer's list, when what they have held is settled.
--
-- KEYS[1] holds: hash of the customer's open reservations, by id
-- KEYS[2] ends: sorted set of their ids, by when they end (Unix ms)
-- ARGV   ids of reservations
-- Returns how many of them were on the list
-- Guarantee: what they have taken stays as it is.
redis.call('ZREM', KEYS[2], unpack(ARGV))
return redis.call('HDEL', KEYS[1], unpack(ARGV))
