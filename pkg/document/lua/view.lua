-- Reads a document's record together with its job, in one round trip and at
-- one moment. The job's key is only known from the record.
--
-- KEYS[1]  the record
-- ARGV[1]  what job keys begin with
--
-- Returns a flat list of the record's fields and values, empty when there is
-- none, and the job's status, nil when its hash is gone.
local record = redis.call('HGETALL', KEYS[1])
local id = redis.call('HGET', KEYS[1], 'job_id') or ''
return { record, redis.call('HGET', ARGV[1] .. id, 'status') }
