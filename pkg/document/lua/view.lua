-- Reads a document's record together with its job, in one round trip and at
-- one moment. The job's key is only known from the record.
--
-- KEYS[1]  the record
-- ARGV[1]  what job keys begin with
-- ARGV[2..] the fields wanted of the job
--
-- Returns two flat lists of fields and values: the record's, empty when there
-- is none, and the job's, empty when its hash is gone. A missing field is not
-- in the list.
local record = redis.call('HGETALL', KEYS[1])
local id = redis.call('HGET', KEYS[1], 'job_id')
local job = {}
if id and id ~= '' then
  for i = 2, #ARGV do
    local v = redis.call('HGET', ARGV[1] .. id, ARGV[i])
    if v then
      job[#job + 1] = ARGV[i]
      job[#job + 1] = v
    end
  end
end
return { record, job }
