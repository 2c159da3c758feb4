-- Runs commands on keys of a shard that others are moved into, for whoever moves one there, and nobody who did before.
--
-- KEYS   the key of each command
-- KEYS   last: by whom one is moved there
-- ARGV[1] token: of the caller
-- ARGV   then per command:
--   name         of the command
--   words        number of words that follow, without the key
-- ARGV   (then those words)
-- Returns an answer for each, an error where one was refused; or 0 NOT_YOURS
-- Guarantee: all of them are run, or none.
-- @include "run_commands"
local NOT_YOURS = 0
local ARGV_HEAD = 1

if redis.call('GET', table.remove(KEYS)) ~= ARGV[1] then return NOT_YOURS end
return run_commands(KEYS, ARGV_HEAD + 1)
