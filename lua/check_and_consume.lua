-- Settles charges in order, each atomically: all of its limits have room and are counted, or nothing changes.
--
-- KEYS[1] catalog: tag of the catalog version in force in the shard of the first charge. A publish writes all
--                  shards of a server in one script, so one of them stands for all that live there.
-- KEYS[2] ledger: stream of the same shard; only where ARGV[3] is below 0, else the charges start here
-- KEYS   then per charge:
--   epoch        the customer's epoch; absent or damaged: 0
--   decision     only with consume_once: what was taken under the idempotency key
--   usage        per limit: usage of its current period; the same key may come in several charges,
--                never twice in one. Of a window that opens at first use: "<used>@<closes_at>"
-- ARGV[1] catalog: tag of the version that all charges were planned with
-- ARGV[2] not_after (Unix ms): from then on nothing is taken, as the caller has given up; 0: no such time
-- ARGV[3] terms: number of different terms; most charges of a call share theirs. Below 0: as many, and what is
--                to be noted of the call goes into the ledger
-- ARGV   then per terms:
--   verb         consume, check (count nothing), consume_once, which obeys an idempotency key, settle_once,
--                which does as well and remembers a quantity of 0, too; take_left and take_left_once, which
--                take what there is room for, if that is less
--   limits       number of limits
--   words        words per limit: PLAIN_ARGS or DETAILED_ARGS; then per limit so many of
--     cap        (units) usage never passes it; for soft limits and unlimited ones the ceiling of counters
--     expires_at (Unix ms) of the usage key, fixed when it is made; 0: never; below 0 (ms): so long after the
--                  latest take. With 0 or less every take writes it anew, so that what is never to expire
--                  does not, whoever made it
--     weight     (units) that one of the quantity takes
--     closes_at  (Unix ms) of a window that opens at first use, if it opens now; 0: of any other. With
--                settle_once: of the one that was taken from; if another is open, the limit is left alone
--     now        (Unix ms) a window that closes then or before has closed
-- ARGV   then per run of charges that have terms and quantity in common:
--   run          "<terms> <charges>": which of the terms, from 1, and for how many charges; or
--                "<terms> <charges> <quantity>". Equal ones are read once. "each" as the quantity: one per limit
--                follows, weighted already, of what asks for several features at once
--   quantity     only if the run has none: to take, times the weight; negative: to give back, down to zero
-- ARGV   then per charge of the run:
--   epoch        the customer's epoch that it was planned with
--   fingerprint  as decision: of the call's parameters, FINGERPRINT_LENGTH characters
--   memo         as decision: what the caller needs to return the decision again
--   ttl          (ms) as decision: how long the key is remembered, if the charge takes something
-- ARGV   then per ledger, of which there is one where ARGV[3] is below 0:
--   noting       a digit per terms: 0 nothing is noted, 1 what is taken, 2 denials too, 3 whatever the charge takes;
--                4, 5, 6 what is taken, and denials of one call in 10, 100, 1,000; 7, 8, 9 whatever the charge
--                takes, of one call in so many
--   kept_max     how many records the stream keeps, about
--   kept         (ms) how long it keeps them
--   described    what the record has of the charges; all that is returned of them is put beside it
-- Returns a flat array: only -5 TOO_LATE (not_after is over), only -1 STALE_CATALOG and the tag in force
--                    (empty: none), or per charge a status, then
--   1 ALLOWED, 0 DENIED              per limit usage before the charge; of detailed ones also when the window that
--                                    is open now closes (Unix ms; 0: closed, or no such window)
--   2 REPLAYED                       one string: 1, usage joined by commas, "|", memo; usage of detailed ones
--                                    is "<used>@<closes_at>"
--   -2 STALE_CUSTOMER, -3 MISMATCH   nothing
--   -4 STALE_CLOCK                   nothing: a usage key to be made would have expired by now and be gone at once,
--                                    so the caller's clock is far behind
--   -6 DAMAGED                       nothing: a usage key holds no usage
-- Guarantee: a charge that is not ALLOWED leaves every usage key as it was. A charge that takes nothing leaves
-- its idempotency key as it was. The ledger gets at most one record, exactly if something of the call is to be noted:
-- what is replayed, stale or refused for its shape never is.
local TERMS_ARGS = 3
local PLAIN_ARGS, DETAILED_ARGS = 2, 5
local RUN_ARGS, QUANTITY_ARGS = 1, 1
local CHARGE_ARGS = 1
local ONCE_ARGS = 3
local LEDGER_ARGS = 4
local FINGERPRINT_LENGTH = 16
local ALLOWED, DENIED, REPLAYED = 1, 0, 2
local STALE_CATALOG, STALE_CUSTOMER, MISMATCH, STALE_CLOCK, TOO_LATE, DAMAGED = -1, -2, -3, -4, -5, -6
local EPOCH_LENGTH, DIGITS_LENGTH = 15, 15
local DENIALS_TAG, ANY_TAG, DRAWN_TAG = 2, 3, 6 -- of `noting`
local ZERO_TAG = 48 -- the byte of the digit 0

-- A number that the binding has spelled is read as `text + 0`: tonumber reads a text twice.
local call, tonumber, find = redis.call, tonumber, string.find
local KEYS, ARGV = KEYS, ARGV
local time = call('TIME')
local now = time[1] * 1000 + time[2] / 1000 -- (Unix ms) of the store
local not_after = ARGV[2] + 0
if not_after > 0 and now > not_after then return { TOO_LATE } end
local values = call('MGET', unpack(KEYS))
if values[1] ~= ARGV[1] then return { STALE_CATALOG, values[1] or '' } end

-- What functions work on is passed to them: every call of the script would pay for what they capture.
local function is_late(term, now)
  if term.late ~= nil then return term.late end
  term.late = false
  for limit = 1, term.limits do
    local expires_at = term.expiries[limit]
    if expires_at and expires_at + 0 <= now then term.late = true end
  end
  return term.late
end

-- Whether a key holds no epoch; readers take it as absent, as it is until the next write.
local function is_no_epoch(value, length_max)
  return value and value ~= '0' and (#value > length_max or not string.find(value, '^[1-9]%d*$'))
end

-- Whether a usage key that looks absent holds a value of another type, which MGET does not show.
local function is_foreign(first, last, values, written)
  for at = first, last do
    local name = KEYS[at]
    if not values[at] and not written[name] and redis.call('EXISTS', name) == 1 then return true end
  end
  return false
end

-- Writes usage that has no expiry of its own: a new counter, or one without a period.
local function write(term, limit, name, value)
  local expires_at = term.expiries[limit]
  if expires_at then
    redis.call('SET', name, value, 'PXAT', expires_at)
  elseif term.idles[limit] > 0 then
    redis.call('SET', name, value, 'PX', term.idles[limit])
  else
    redis.call('SET', name, value)
  end
end

local terms = {} -- by number
local arg = 4
local count = ARGV[3] + 0
local ledger = count < 0 and #ARGV - LEDGER_ARGS -- the place before its words
if ledger then count = -count end
for i = 1, count do
  local verb, limits, words = ARGV[arg], ARGV[arg + 1] + 0, ARGV[arg + 2] + 0
  local caps, expiries = { 0 }, { 0 } -- made with room for one limit, as most have no more
  local idles, detailed
  arg = arg + TERMS_ARGS
  if words == DETAILED_ARGS then detailed = { weights = {}, closings = {}, nows = {} } end
  for limit = 1, limits do
    local expires_at = ARGV[arg + 1]
    local idle = expires_at + 0
    caps[limit], expiries[limit] = ARGV[arg] + 0, idle > 0 and expires_at
    if idle <= 0 then
      idles = idles or {}
      idles[limit] = -idle
    end
    if detailed then
      detailed.weights[limit] = ARGV[arg + 2] + 0
      detailed.closings[limit] = ARGV[arg + 3] + 0
      detailed.nows[limit] = ARGV[arg + 4] + 0
    end
    arg = arg + words
  end
  terms[i] = {
    verb = verb,
    limits = limits,
    caps = caps,
    expiries = expiries, -- (Unix ms, as text) of counters that have a period; false: of others
    idles = idles, -- (ms) of the others; 0: kept
    detailed = detailed,
    noting = ledger and string.byte(ARGV[ledger + 1], i) - ZERO_TAG,
  }
end

local runs = {} -- by their text
local written = {} -- by an earlier charge of this call: key -> usage or decision

local reply, size = {}, 0
local key = ledger and 3 or 2 -- where the current charge starts, as `arg`
local noted, drawn = false, nil

while KEYS[key] do
  local run = runs[ARGV[arg]]
  if not run then
    local number, charges, quantity = string.match(ARGV[arg], '^(%d+) (%d+) ?(.*)$')
    run = { term = terms[number + 0], charges = charges + 0, take = quantity ~= '' and quantity }
    runs[ARGV[arg]] = run
  end
  arg = arg + RUN_ARGS
  local take, term = run.take, run.term
  local limits, caps, expiries = term.limits, term.caps, term.expiries
  local verb, detailed, noting = term.verb, term.detailed, term.noting
  local counts = verb ~= 'check'
  local once = verb == 'consume_once' or verb == 'settle_once' or verb == 'take_left_once'
  local weights, each = detailed and detailed.weights, nil -- each: by limit, what to take of it
  if not take then
    take = ARGV[arg]
    arg = arg + QUANTITY_ARGS
  elseif take == 'each' then
    take, each, weights = '1', {}, {}
    for limit = 1, limits do
      each[limit] = ARGV[arg]
      weights[limit] = ARGV[arg] + 0
      arg = arg + QUANTITY_ARGS
    end
  end
  local quantity = take + 0

  for _ = 1, run.charges do
    local epoch, quantity, take = ARGV[arg], quantity, take
    arg = arg + CHARGE_ARGS
    local usage_key = key -- the one before the first usage key
    local once_arg, stored
    if once then
      usage_key = key + 1
      once_arg = arg
      arg = arg + ONCE_ARGS
      stored = written[KEYS[usage_key]] or values[usage_key]
      -- Earlier servers also stored denials ("0...") and answers without counters ("1|...").
      if stored and not string.find(stored, '^1%d', FINGERPRINT_LENGTH + 1) then stored = nil end
    end

    size = size + 1
    if (values[key] or '0') ~= epoch and not (epoch == '0' and is_no_epoch(values[key], EPOCH_LENGTH)) then
      reply[size] = STALE_CUSTOMER
    elseif stored and string.sub(stored, 1, FINGERPRINT_LENGTH) ~= ARGV[once_arg] then
      reply[size] = MISMATCH
    elseif stored then
      reply[size] = REPLAYED
      size = size + 1
      reply[size] = string.sub(stored, FINGERPRINT_LENGTH + 1)
    else
      local status, status_at, fresh, odd, elsewhere = ALLOWED, size, false, false, nil
      if not detailed then
        for limit = 1, limits do
          local at = usage_key + limit
          local used = written[KEYS[at]]
          if not used then
            local value = values[at]
            if not value then
              used = 0
            elseif #value <= DIGITS_LENGTH and find(value, '^[1-9]%d*$') then
              used = value + 0
            else
              used, odd = tonumber(value), true
              if not used or used % 1 ~= 0 then status = DAMAGED break end
            end
          end
          local amount = each and weights[limit] or quantity
          if amount >= 0 and used + amount > caps[limit] then status = DENIED end
          if used == 0 then fresh = true end
          size = size + 1
          reply[size] = used
        end
      else
        for limit = 1, limits do
          local at = usage_key + limit
          local used, closes_at = written[KEYS[at]] or values[at] or 0, 0
          if detailed.closings[limit] > 0 and used ~= 0 then
            used, closes_at = string.match(used, '^(%d+)@(%d+)$')
            closes_at = tonumber(closes_at)
            if closes_at and closes_at <= detailed.nows[limit] then used, closes_at = 0, 0 end
          end
          if verb == 'settle_once' and closes_at ~= detailed.closings[limit] then
            used, closes_at = 0, 0
            elsewhere = elsewhere or {}
            elsewhere[limit] = true
          end
          used = tonumber(used)
          if not used or used % 1 ~= 0 then status = DAMAGED break end
          local amount = quantity * weights[limit]
          if amount >= 0 and used + amount > caps[limit] then status = DENIED end
          if used == 0 then fresh = true end
          reply[size + 1], reply[size + 2] = used, closes_at
          size = size + 2
        end
      end
      if status == DENIED and (verb == 'take_left' or verb == 'take_left_once') then
        local left = quantity
        for limit = 1, limits do
          local used = detailed and reply[status_at + 2 * limit - 1] or reply[status_at + limit]
          left = math.min(left, math.floor((caps[limit] - used) / (weights and weights[limit] or 1)))
        end
        if left > 0 then status, quantity, take = ALLOWED, left, string.format('%.0f', left) end
      end
      if fresh and status == ALLOWED and counts and quantity ~= 0 then
        if quantity > 0 and is_late(term, now) then
          status = STALE_CLOCK
        elseif is_foreign(usage_key + 1, usage_key + limits, values, written) then
          status = DAMAGED
        end
      end
      if status < DENIED then
        for i = status_at + 1, size do reply[i] = nil end
        size = status_at
      elseif status == ALLOWED and counts and quantity ~= 0 then
        for limit = 1, limits do
          local name = KEYS[usage_key + limit]
          if not detailed then
            local before, amount = reply[status_at + limit], each and each[limit] or take
            local used = before + (each and weights[limit] or quantity)
            if used <= 0 then
              used = 0
              call('DEL', name)
            elseif before == 0 then
              write(term, limit, name, amount)
            elseif expiries[limit] and not odd then
              call('INCRBY', name, amount)
            elseif expiries[limit] then
              -- What reads as a number and is no integer to INCRBY, such as 1e3, is written as one.
              call('SET', name, string.format('%.0f', used), 'KEEPTTL')
            else
              write(term, limit, name, string.format('%.0f', used))
            end
            written[name] = used
          elseif weights[limit] ~= 0 and not (elsewhere and elsewhere[limit]) then
            local at = status_at + 2 * limit
            local before, opens = reply[at - 1], detailed.closings[limit] > 0
            local used = before + quantity * weights[limit]
            local value = string.format('%.0f', used)
            if opens then
              if before == 0 then reply[at] = detailed.closings[limit] end
              value = string.format('%s@%.0f', value, reply[at])
            end
            if used <= 0 then
              used = 0
              call('DEL', name)
            elseif before > 0 and expiries[limit] then
              call('SET', name, value, 'KEEPTTL')
            else
              write(term, limit, name, value)
            end
            written[name] = opens and used > 0 and value or used
          end
        end
      end
      reply[status_at] = status
      if noting and noting > 0 and counts and status >= DENIED then
        local took = status == ALLOWED and quantity ~= 0
        noted = noted or took or noting == ANY_TAG or noting == DENIALS_TAG and status == DENIED
        if noting > ANY_TAG and (status == DENIED or noting > DRAWN_TAG) then
          local level = noting - (noting > DRAWN_TAG and DRAWN_TAG or ANY_TAG)
          if time[2] % 10 ^ level == 0 then noted, drawn = true, math.max(drawn or 0, level) end
        end
      end
      if once and status == ALLOWED and (verb == 'settle_once' or quantity ~= 0 and limits > 0) then
        local usage = '0'
        for limit = 1, limits do
          local part
          if detailed then
            local at = status_at + 2 * limit
            part = string.format('%.0f@%.0f', reply[at - 1], reply[at])
          else
            part = string.format('%.0f', reply[status_at + limit])
          end
          usage = limit == 1 and part or usage .. ',' .. part
        end
        local decision = ARGV[once_arg] .. ALLOWED .. usage .. '|' .. ARGV[once_arg + 1]
        call('SET', KEYS[usage_key], decision, 'PX', ARGV[once_arg + 2])
        written[KEYS[usage_key]] = decision
      end
    end
    key = usage_key + limits + 1
  end
end

-- Looked at last: a walk of its own would cost every call what only a bug in the binding can break.
if arg ~= (ledger or #ARGV) + 1 or key ~= #KEYS + 1 then
  return redis.error_reply('QUOTAD_ARGS arguments do not match the keys')
end
if noted then
-- @include "note_in_ledger"
  note_in_ledger(KEYS[2], time, reply, ARGV[ledger + 2], ARGV[ledger + 3], ARGV[ledger + 4], drawn)
end
return reply
