-- Returns what a script is to answer whose caller knows other shards than there are by now: of those whose keys start
-- at a place of KEYS, one has moved, or has a tag of another step; a caller that mends may find tags without one.
local function refuse_other_step(first, step, mends)
  for i = first, #KEYS do
    local tag = redis.pcall('GET', KEYS[i])
    if type(tag) == 'string' then
      local found = string.match(tag, '~%d+$') or ''
      if string.sub(tag, 1, 6) == 'moved:' or (found ~= step and not (mends and found == '')) then
        return redis.error_reply('QUOTAD_MOVED shards have moved, or are about to')
      end
    end
  end
end
