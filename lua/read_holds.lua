-- Reads reservations of customers: all that are open, or those that have ended.
--
-- KEYS   then per customer:
--   holds        hash of the customer's open reservations, by id
--   ends         sorted set of their ids, by when they end (Unix ms)
-- ARGV[1] until (Unix ms): those that end by then; +inf: all
-- ARGV[2] most: of one customer
-- Returns per customer an array: per reservation its id, its record and its end (Unix ms, as text)
-- Guarantee: nothing is written.
local found = {}
for key = 1, #KEYS, 2 do
  local holds, size = {}, 0
  local ended = redis.call('ZRANGE', KEYS[key + 1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
  for at = 1, #ended, 2 do
    holds[size + 1] = ended[at]
    holds[size + 2] = redis.call('HGET', KEYS[key], ended[at]) or ''
    holds[size + 3] = ended[at + 1]
    size = size + 3
  end
  found[#found + 1] = holds
end
return found
