-- Takes the last key off KEYS, the tag of the catalog in the shard of the others. Where it marks a shard that is being
-- moved, or has been, it returns what the script is to answer.
local function refuse_moved()
  local tag = redis.pcall('GET', table.remove(KEYS))
  if type(tag) == 'string' and string.sub(tag, 1, 6) == 'moved:' then
    return redis.error_reply('QUOTAD_MOVED the shard is in another place, or about to be')
  end
end
