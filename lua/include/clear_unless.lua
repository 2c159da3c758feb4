-- Deletes a key that holds a value of another type than the script needs: its content is as good as lost.
local function clear_unless(kind, key)
  if redis.call('TYPE', key).ok ~= kind then redis.call('DEL', key) end
end
