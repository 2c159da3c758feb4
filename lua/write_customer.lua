-- Writes a customer's record and moves its epoch; compare-and-set on the epoch.
--
-- KEYS[1] record: of the customer
-- KEYS[2] epoch: of the customer; absent: 0
-- KEYS[3] customers: sorted set of the ids in this shard, all with score 0, for listing
-- KEYS   lasting: usage keys that a customer without a record may have, and that are to be kept for ever
--                 from its first record on
-- ARGV[1] expected_epoch: the epoch the new record was made from
-- ARGV[2] record
-- ARGV[3] customer_id
-- Returns the new epoch, or -1 CONFLICT when somebody wrote in between.
-- Guarantee: a decision planned with an older epoch is refused from here on.
local CONFLICT = -1
local HEAD = 3

if tonumber(redis.call('GET', KEYS[2]) or 0) ~= tonumber(ARGV[1]) then return CONFLICT end
redis.call('SET', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[3])
for i = HEAD + 1, #KEYS do redis.call('PERSIST', KEYS[i]) end
return redis.call('INCR', KEYS[2])
