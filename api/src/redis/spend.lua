-- Uses up KEYS[2], KEYS[3] and so on: for each two arguments follow, the epoch in which it was minted, and the milliseconds
-- for which it must be remembered. Answers 1 for each that was not used before and is of this epoch (epoch.lua), and 0 for the others.
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local own = redis.call('GET', KEYS[1])
local epoch = own and string.sub(redis.sha1hex(history .. own), 1, 32)
local spent = {}
for i = 2, #KEYS do
  local known = ARGV[2 * i - 3] == epoch
  local first = known and redis.call('SET', KEYS[i], '', 'NX', 'PX', ARGV[2 * i - 2])
  spent[i - 1] = first and 1 or 0
end
return spent
