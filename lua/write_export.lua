-- Writes a part of an export: how far its streams are read, and what is to be sent of that.
--
-- KEYS[1] record: hash of the part
-- ARGV[1] owner: of the process that has it
-- ARGV[2] lease (ms): how long it has it without another write; 0: it lets go of it
-- ARGV[3] written: number of fields that are written
-- ARGV   then per field that is written:
--   field        its name
--   value        its value
-- ARGV   then the names of fields that are removed
-- Returns how often others have changed the record; -1 OTHERS: another process has it, and nothing is written
-- Guarantee: all of it is written, or nothing; a process that has lost it writes nothing any more.
local OTHERS = -1
local FIELD_ARGS = 2
local ARGV_HEAD = 3
local WORDS_MAX = 1000
-- @include "now_ms"

local record = KEYS[1]
if redis.call('HGET', record, 'owner') ~= ARGV[1] then return OTHERS end
local written = ARGV_HEAD + FIELD_ARGS * tonumber(ARGV[3])
for arg = ARGV_HEAD + 1, written, WORDS_MAX do
  redis.call('HSET', record, unpack(ARGV, arg, math.min(arg + WORDS_MAX - 1, written)))
end
for arg = written + 1, #ARGV, WORDS_MAX do
  redis.call('HDEL', record, unpack(ARGV, arg, math.min(arg + WORDS_MAX - 1, #ARGV)))
end
local lease = tonumber(ARGV[2])
if lease == 0 then
  redis.call('HDEL', record, 'owner', 'until')
else
  redis.call('HSET', record, 'until', string.format('%.0f', now_ms() + lease))
end
return tonumber(redis.call('HGET', record, 'asked') or '0') or 0
