-- The epoch of a write: its time (Unix ms), or one more than the epoch before if that is later. A failover that
-- lost writes therefore repeats none of their epochs.
-- @include "now_ms"
local function next_epoch(before) return math.max(before + 1, now_ms()) end
