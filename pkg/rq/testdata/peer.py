"""Python's RQ at the command of a Go test: one JSON request per line on stdin,
one JSON answer per line on stdout.

usage: peer.py redis://host:port/db
"""

import json
import logging
import os
import sys
from datetime import datetime, timedelta, timezone

import redis
from click.testing import CliRunner
from rq import Queue, Retry, SimpleWorker, Worker
from rq.cli import main as rq_cli
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.job import Callback, Dependency, Job
from rq.registry import StartedJobRegistry
from rq.scheduler import RQScheduler
from rq.suspension import resume, suspend

try:
    from rq import Repeat
    from rq.cron import CronScheduler
except ImportError:  # RQ before 2.3, and before 2.4
    Repeat = CronScheduler = None

URL = sys.argv[1]
connection = redis.Redis.from_url(URL, max_connections=5000)  # subscriptions linger a while

# Whatever RQ or a job prints must not mix with the answers.
answers = os.fdopen(os.dup(1), 'w', buffering=1)
os.dup2(2, 1)
logging.disable(logging.CRITICAL)


def serializer(r):
    """By its path, which every version of RQ knows."""
    return 'rq.serializers.JSONSerializer' if r.get('serializer') == 'json' else r.get('serializer')


def queue(r):
    return Queue(r['queue'], connection=connection, serializer=serializer(r))


def enqueue(r):
    options = {k: r[k] for k in ('description', 'meta', 'result_ttl', 'failure_ttl', 'ttl', 'at_front') if k in r}
    if 'unique' in r:
        options['unique'] = r['unique']
    if 'depends_on' in r:
        options['depends_on'] = r['depends_on']
        if 'allow_failure' in r or 'release_front' in r:
            options['depends_on'] = Dependency(
                r['depends_on'], allow_failure='allow_failure' in r, enqueue_at_front='release_front' in r
            )
    if 'repeat' in r:
        options['repeat'] = Repeat(times=r['repeat']['times'], interval=r['repeat']['intervals'] or 0)
    if 'id' in r:
        options['job_id'] = r['id']
    if 'timeout' in r:
        options['job_timeout'] = r['timeout']
    if 'retry' in r:
        front = {'enqueue_at_front': True} if r['retry']['at_front'] else {}
        options['retry'] = Retry(max=r['retry']['max'], interval=r['retry']['intervals'] or 0, **front)
    for when in ('success', 'failure', 'stopped'):
        if when in r.get('callbacks', ()):
            options['on_' + when] = Callback('tasks.called', timeout=7) if when == 'stopped' else Callback('tasks.called')
    if 'webhook' in r:
        from rq.webhook import Webhook

        options['webhooks'] = [
            Webhook(r['webhook'], 'finished'),
            Webhook(r['webhook'], 'failed', method='POST', headers={'X-A': 'é'}, timeout=3),
        ]
    if 'in' in r:
        call = lambda *a, **k: queue(r).enqueue_at(datetime.now(timezone.utc) + timedelta(seconds=r['in']), *a, **k)
    else:
        call = queue(r).enqueue
    return call(r['func'], args=tuple(r.get('args', ())), kwargs=r.get('kwargs', {}), **options).id


def enqueue_many(r):
    """All at once; with "group" as a group, with "child" also one that waits for the others."""
    jobs = [Queue.prepare_data(r['func'], args=(n,), job_id=i) for n, i in enumerate(r['ids'])]
    if 'child' in r:
        jobs.append(Queue.prepare_data(r['func'], job_id=r['child'], depends_on=r['ids']))
    if 'group' in r:
        from rq.group import Group

        return [j.id for j in Group(connection, r['group']).enqueue_many(queue(r), jobs)]
    return [j.id for j in queue(r).enqueue_many(jobs)]


def enqueue_piped(r):
    with connection.pipeline() as p:
        for i in r['ids']:
            queue(r).enqueue(r['func'], job_id=i, pipeline=p)
        p.execute()


def group_jobs(r):
    from rq.group import Group

    return sorted(j.id for j in Group(connection, r['group']).get_jobs())


def clean_groups(r):
    from rq.group import Group

    Group.clean_registries(connection)


def save_meta(r):
    j = fetch(r)
    j.meta = r['meta']
    j.save_meta()


def results(r):
    """All results of a job, newest first."""
    return [{'type': x.type.value, 'value': repr(x.return_value)} for x in fetch(r).results()]


def executions(r):
    return [{'id': e.id, 'worker': getattr(e, 'worker_name', '')} for e in fetch(r).get_executions()]


def sync(r):
    """Runs a job at once, without a worker."""
    import tasks

    return Queue(r['queue'], connection=connection, is_async=False).enqueue(tasks.add, 1, 2, job_id=r['id']).id


def cron(r):
    """One round of a cron scheduler."""
    import tasks

    c = CronScheduler(connection=connection, name='cron-1')
    c.register(tasks.play, r['queue'], args=('ok',), interval=3600, job_timeout=33, meta={'k': 'v'})
    c.register_birth()
    ids = [j.latest_enqueue_time is not None for j in c.enqueue_jobs()]
    c.register_death()
    return ids


class Prompt:
    """Leaves without the second that RQ gives its subscription to end."""

    def unsubscribe(self):
        self.pubsub.unsubscribe()
        self.pubsub_thread.stop()


class PromptWorker(Prompt, Worker):
    pass


class PromptSimpleWorker(Prompt, SimpleWorker):
    pass


def work(r):
    cls = PromptSimpleWorker if r.get('simple') else PromptWorker
    worker = cls(r['queues'], name=r['name'], connection=connection, serializer=serializer(r))
    worker.work(burst=r.get('burst', True), max_jobs=r.get('max_jobs'), logging_level='CRITICAL')
    return {'successful': worker.successful_job_count, 'failed': worker.failed_job_count}


def move_due(r):
    scheduler = RQScheduler(r['queues'], connection=connection, logging_level='CRITICAL')
    if hasattr(scheduler, 'register_birth'):  # since RQ 2.10
        scheduler.register_birth()
    locked = scheduler.acquire_locks()
    scheduler.enqueue_scheduled_jobs()
    if not r.get('keep'):
        scheduler.stop()
    return sorted(locked)


def fetch(r):
    return Job.fetch(r['id'], connection=connection, serializer=serializer(r))


def job(r):
    j = fetch(r)
    latest = j.latest_result()
    return {
        'status': j.get_status(),
        'func': j.func_name,
        'args': repr(j.args),
        'kwargs': repr(j.kwargs),
        'description': j.description,
        'meta': repr(j.meta),
        'worker': j.worker_name,
        'retries_left': j.retries_left,
        'result': repr(j.return_value()),
        'result_type': latest.type.name if latest else '',
        'exc': latest.exc_string or '' if latest else '',
        'results': len(j.results()),
        'position': j.get_position(),
        'executions': len(j.get_executions()),
        'ended': j.ended_at is not None,
    }


def requeue(r):
    fetch(r).requeue(at_front=r.get('at_front', False))


def info(r):
    out = CliRunner().invoke(rq_cli, ['info', '-u', URL, '--raw'] + r.get('options', []) + r['queues'])
    if out.exception:
        raise out.exception
    return out.output


def cli(r):
    """Runs one command of rq's command line and returns what it prints."""
    out = CliRunner().invoke(rq_cli, [r['args'][0], '-u', URL] + r['args'][1:])
    if out.exception and not isinstance(out.exception, SystemExit):
        raise out.exception
    if out.exit_code:
        raise RuntimeError(out.output.strip().splitlines()[-1])
    return out.output


def workers(r):
    return [
        {
            'name': w.name,
            'state': w.get_state(),
            'queues': w.queue_names(),
            'pid': w.pid,
            'hostname': w.hostname,
            'job': w.get_current_job_id(),
            'successful': w.successful_job_count,
            'failed': w.failed_job_count,
            'version': w.version,
            'heartbeat': w.last_heartbeat is not None,
        }
        for w in sorted(Worker.all(connection=connection), key=lambda w: w.name)
    ]


def clean(r):
    Worker(r['queues'], name='cleaner', connection=connection).clean_registries()
    return [StartedJobRegistry(q, connection=connection).count for q in r['queues']]


OPS = {
    'enqueue': enqueue,
    'enqueue_many': enqueue_many,
    'enqueue_piped': enqueue_piped,
    'group_jobs': group_jobs,
    'clean_groups': clean_groups,
    'save_meta': save_meta,
    'results': results,
    'executions': executions,
    'cron': cron,
    'sync': sync,
    'work': work,
    'move_due': move_due,
    'job': job,
    'cancel': lambda r: fetch(r).cancel(**r.get('options', {})),
    'delete': lambda r: fetch(r).delete(delete_dependents=r.get('dependents', False)),
    'requeue': requeue,
    'info': info,
    'workers': workers,
    'cli': cli,
    'clean': clean,
    'suspend': lambda r: suspend(connection),
    'resume': lambda r: resume(connection),
    'stop_job': lambda r: send_stop_job_command(connection, r['id']),
    'shutdown': lambda r: send_shutdown_command(connection, r['worker']),
    'kill_horse': lambda r: send_kill_horse_command(connection, r['worker']),
}

for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {'ok': OPS[request['op']](request)}
    except Exception as e:
        answer = {'error': f'{type(e).__name__}: {e}'}
    answers.write(json.dumps(answer) + '\n')
