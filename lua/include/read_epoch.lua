-- The epoch of a customer; 0 if the key is absent or holds no epoch, which is so until the next write.
local EPOCH_LENGTH = 15
local function read_epoch(key)
  local value = redis.pcall('GET', key) -- an error of a value of another type
  if type(value) ~= 'string' or #value > EPOCH_LENGTH or not string.find(value, '^[1-9]%d*$') then return 0 end
  return tonumber(value)
end
