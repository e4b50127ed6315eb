-- One step of the generic cell rate algorithm (ITU-T I.371) on the bucket KEYS[1]: ARGV[1] is the time that one cell takes,
-- ARGV[2] the time that a full bucket takes, in microseconds. The time is this server's: replicas' clocks differ.
-- Answers how many are left and 0, or -1 and the microseconds until there is one.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = tonumber(ARGV[1])
local capacity = tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local after = full_at + interval
local wait = after - capacity - now
if wait > 0 then
  return {-1, wait}
end
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {math.floor((now + capacity - after) / interval), 0}
