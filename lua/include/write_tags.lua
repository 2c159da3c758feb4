-- Puts a catalog version in force in the shards whose keys start at a place of KEYS.
local DIGEST_IN_TAG = 12 -- characters; as the binding names a catalog
local function write_tags(first, version, digest, step)
  local tag = version .. '.' .. string.sub(digest, 1, DIGEST_IN_TAG) .. step
  for i = first, #KEYS do redis.call('SET', KEYS[i], tag) end
end
