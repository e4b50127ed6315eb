-- The epoch of what this server has used up: KEYS[1] is lost with everything else that is lost, and the id of the server's history
-- changes when it is started again or takes over from another, which may have known more. ARGV[1] becomes the key if there is none.
local history = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local own = redis.call('GET', KEYS[1])
if not own then
  own = ARGV[1]
  redis.call('SET', KEYS[1], own)
end
return string.sub(redis.sha1hex(history .. own), 1, 32)
