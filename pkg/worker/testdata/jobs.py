"""What the comparison with Python's RQ enqueues and, in Python's role, runs.

usage: jobs.py redis://host:port/db enqueue|work JSON
"""

import json
import logging
import sys

import redis
from rq import Callback, Queue, Retry, Worker, get_current_job

logging.disable(logging.CRITICAL)


def ran(*args):
    job = get_current_job()
    job.connection.rpush('calls', 'ran ' + job.id)


def ok():
    ran()
    return 42


def boom():
    ran()
    raise ValueError('broken')


def succeeded(job, connection, result):
    connection.rpush('calls', f'succeeded {job.id} {result}')


def choosy(job, connection, result):
    succeeded(job, connection, result)
    raise ValueError('not good enough')


def failed(job, connection, kind, error, trace):
    connection.rpush('calls', f'failed {job.id} {(str(error).splitlines() or [kind.__name__])[-1]}')


def clumsy(job, connection, *error):
    failed(job, connection, *error)
    raise ValueError('and this, too')


def slow(job, connection, result):
    import time

    succeeded(job, connection, result)
    time.sleep(30)


def enqueue(connection, jobs):
    """Each is {"queue", "id", "func"} and what else it has."""
    for j in jobs:
        options = {'job_id': j['id']}
        for when in ('success', 'failure', 'stopped'):
            if when in j:
                options['on_' + when] = Callback('jobs.' + j[when], timeout=j.get('callback_timeout'))
        if 'retry' in j:
            options['retry'] = Retry(max=j['retry'])
        if 'webhooks' in j:
            from rq.webhook import Webhook

            options['webhooks'] = [Webhook(**w) for w in j['webhooks']]
        Queue(j.get('queue', 'work'), connection=connection).enqueue('jobs.' + j['func'], **options)


def work(connection, r):
    w = Worker(r.get('queues', ['work']), name='python', connection=connection)
    w.work(burst=r.get('burst', True), max_jobs=r.get('max_jobs'), max_idle_time=r.get('max_idle_time'),
           dequeue_strategy=r.get('strategy', 'default'), logging_level='CRITICAL')


if __name__ == '__main__':
    {'enqueue': enqueue, 'work': work}[sys.argv[2]](redis.Redis.from_url(sys.argv[1]), json.loads(sys.argv[3]))
