-- Adds a record to a ledger, and drops what is more than is kept, and in one of 64 calls what is older. The stream
-- expires with its latest record. What became of charges is packed, which costs a third of joining numbers; stores that
-- cannot pack get them joined by commas, without what is replayed. A key of another type is as good as lost. drawn (if there is one): up to
-- which share of denials those of the call were drawn to be noted.
local function note_in_ledger(key, time, reply, kept_max, kept, described, drawn)
  local became
  if rawget(_G, 'cmsgpack') then
    became = cmsgpack.pack(reply)
  else
    local words = {}
    for i, value in ipairs(reply) do
      words[i] = type(value) == 'string' and '' or string.format('%.0f', value)
    end
    became = table.concat(words, ',')
  end
  local words = { 'XADD', key, 'MAXLEN', '~', kept_max, '*', 'charges', described, 'became', became }
  if drawn then
    words[#words + 1] = 'drawn'
    words[#words + 1] = drawn
  end
  if type(redis.pcall(unpack(words))) ~= 'string' then
    redis.call('DEL', key)
    redis.call(unpack(words))
  end
  redis.call('PEXPIRE', key, kept)
  if time[2] % 64 == 0 then
    redis.call('XTRIM', key, 'MINID', string.format('%.0f', time[1] * 1000 - kept))
  end
end
