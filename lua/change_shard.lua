-- Runs commands on keys of one shard, unless it has moved.
--
-- KEYS   the key of each command
-- KEYS   last: tag of the catalog in the shard; where that has moved, or is being moved, the answer is QUOTAD_MOVED
-- ARGV   then per command:
--   name         of the command
--   words        number of words that follow, without the key
-- ARGV   (then those words)
-- Returns an answer for each; an error where one was refused
-- Guarantee: all of them are run, or none.
-- @include "refuse_moved"
-- @include "run_commands"

local moved = refuse_moved()
if moved then return moved end
return run_commands(KEYS, 1)
