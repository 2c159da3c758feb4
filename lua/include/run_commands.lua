-- Runs commands on keys: the name, the number of further words and those words of each begin at a place of ARGV.
local COMMAND_ARGS = 2
local function run_commands(keys, first_arg)
  local answers, arg = {}, first_arg
  for i = 1, #keys do
    local first = arg + COMMAND_ARGS
    local last = first - 1 + tonumber(ARGV[arg + 1])
    answers[i] = redis.pcall(ARGV[arg], keys[i], unpack(ARGV, first, last))
    arg = last + 1
  end
  return answers
end
