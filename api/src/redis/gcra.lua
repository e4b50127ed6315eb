-- The generic cell rate algorithm (ITU-T I.371) on the bucket KEYS[1]: ARGV[1] is the time that one cell takes, ARGV[2] the
-- time that a full bucket takes, in microseconds, ARGV[3] how many cells are wanted. The time is this server's: replicas'
-- clocks differ. Answers how many are left, how many were taken and 0, or 0, 0 and the microseconds until there is one.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = tonumber(ARGV[1])
local capacity = tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = full_at + interval - capacity - now
if wait > 0 then
  return {0, 0, wait}
end
local there = math.floor((now + capacity - full_at) / interval)
local taken = math.min(there, tonumber(ARGV[3]))
local after = full_at + taken * interval
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {there - taken, taken, 0}
