-- Settles charges in order, each atomically: all of its limits have room and are counted, or nothing changes.
--
-- KEYS   per charge:
--   catalog      tag of the catalog version in force in the customer's shard
--   epoch        the customer's epoch; absent: 0
--   decision     only with a verb ending in _once: the first decision under the idempotency key
--   usage        per limit: usage of its current period; the same key may come in several charges,
--                never twice in one
-- ARGV[1] catalog: tag of the version that all charges were planned with
-- ARGV   per charge:
--   epoch        the epoch it was planned with
--   quantity     (units) to take; negative: to give back, down to zero
--   verb         consume, check (count nothing), answer (no counter takes part); consume_once and
--                answer_once obey an idempotency key
--   limits       number of limits
--   fingerprint  only _once: of the call's parameters, FINGERPRINT_LENGTH characters
--   memo         only _once: what the caller needs to tell the decision again
--   ttl          (ms) only _once: how long the key is remembered
--   then per limit:
--     cap        (units) usage never passes it; for soft limits and unlimited ones the ceiling of counters
--     expires_at (Unix ms) of the usage key; 0: never
-- Returns a flat array, per charge: a status, then
--   1 ALLOWED, 0 DENIED              usage before the charge, per limit
--   2 REPLAYED                       one string: status, usage joined by commas, "|", memo
--   -1 STALE_CATALOG, -2 STALE_CUSTOMER, -3 MISMATCH    nothing
-- Guarantee: a charge that is not ALLOWED leaves every usage key as it was.
local CHARGE_KEYS = 2
local CHARGE_ARGS = 4
local ONCE_ARGS = 3
local LIMIT_ARGS = 2
local FINGERPRINT_LENGTH = 16
local ALLOWED, DENIED, REPLAYED = 1, 0, 2
local STALE_CATALOG, STALE_CUSTOMER, MISMATCH = -1, -2, -3

local values = redis.call('MGET', unpack(KEYS))
local written = {} -- by an earlier charge of this call: key -> usage or decision
local catalog = ARGV[1]
local reply, size = {}, 0
local key, arg = 1, 2 -- where the current charge starts

while KEYS[key] do
  local quantity = tonumber(ARGV[arg + 1])
  local verb = ARGV[arg + 2]
  local limits = tonumber(ARGV[arg + 3])
  local once = verb == 'consume_once' or verb == 'answer_once'
  local usage_key = key + CHARGE_KEYS + (once and 1 or 0)
  local limit_arg = arg + CHARGE_ARGS + (once and ONCE_ARGS or 0)
  local stored = once and (written[KEYS[usage_key - 1]] or values[usage_key - 1])

  size = size + 1
  if values[key] ~= catalog then
    reply[size] = STALE_CATALOG
  elseif (values[key + 1] or '0') ~= ARGV[arg] then
    reply[size] = STALE_CUSTOMER
  elseif stored and string.sub(stored, 1, FINGERPRINT_LENGTH) ~= ARGV[arg + CHARGE_ARGS] then
    reply[size] = MISMATCH
  elseif stored then
    reply[size] = REPLAYED
    size = size + 1
    reply[size] = string.sub(stored, FINGERPRINT_LENGTH + 1)
  else
    local status, status_at = ALLOWED, size
    for i = 0, limits - 1 do
      local name = KEYS[usage_key + i]
      local used = written[name] or tonumber(values[usage_key + i] or 0)
      if quantity >= 0 and used + quantity > tonumber(ARGV[limit_arg + i * LIMIT_ARGS]) then
        status = DENIED
      end
      size = size + 1
      reply[size] = used
    end
    if status == ALLOWED and quantity ~= 0 and verb ~= 'check' then
      for i = 0, limits - 1 do
        local name = KEYS[usage_key + i]
        local before = reply[status_at + 1 + i]
        local used = before + quantity
        if used <= 0 then
          used = 0
          redis.call('DEL', name)
        elseif before > 0 then
          redis.call('INCRBY', name, ARGV[arg + 1])
        else
          local expires_at = ARGV[limit_arg + i * LIMIT_ARGS + 1]
          if expires_at == '0' then
            redis.call('SET', name, ARGV[arg + 1])
          else
            redis.call('SET', name, ARGV[arg + 1], 'PXAT', expires_at)
          end
        end
        written[name] = used
      end
    end
    reply[status_at] = status
    if once then
      local parts = {}
      for i = 1, limits do parts[i] = string.format('%.0f', reply[status_at + i]) end
      local decision = ARGV[arg + CHARGE_ARGS] .. status .. table.concat(parts, ',') .. '|' .. ARGV[arg + CHARGE_ARGS + 1]
      redis.call('SET', KEYS[usage_key - 1], decision, 'PX', ARGV[arg + CHARGE_ARGS + 2])
      written[KEYS[usage_key - 1]] = decision
    end
  end
  key = usage_key + limits
  arg = limit_arg + limits * LIMIT_ARGS
end

-- Looked at last: a walk of its own would cost every call what only a bug in the binding can break.
if arg ~= #ARGV + 1 then return redis.error_reply('QUOTAD_ARGS arguments do not match the keys') end
return reply
