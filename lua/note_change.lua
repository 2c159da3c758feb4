-- Appends an event to a stream of changes that no other script writes to with what has changed.
--
-- KEYS[1] events: the stream
-- ARGV[1] kept_max (events): how many the stream keeps, about
-- ARGV[2] kept (ms): how long the stream keeps them
-- ARGV[3] kind: what has changed
-- ARGV[4] value: of the change
-- Returns 1
-- Guarantee: touches nothing that decisions look at.
-- @include "append_event"

append_event(KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
return 1
