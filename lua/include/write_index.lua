-- Removes so many members from an index, ARGV from a place on, and adds all members that follow.
local function write_index(key, first, stale)
  local gone, found_by = {}, {}
  for i = first, #ARGV do
    if i < first + stale then
      gone[#gone + 1] = ARGV[i]
    else
      found_by[#found_by + 1] = 0 -- the score
      found_by[#found_by + 1] = ARGV[i]
    end
  end
  if #gone > 0 then redis.call('ZREM', key, unpack(gone)) end
  if #found_by > 0 then redis.call('ZADD', key, unpack(found_by)) end
end
