"""Functions that the interop tests put on queues for Python workers."""

import json

from rq import Retry, get_current_job


def add(a, b=0):
    return a + b


def echo(*args, **kwargs):
    return {'args': args, 'kwargs': kwargs}


def fail(text):
    raise ValueError(text)


def gate(*args, **kwargs):
    """Waits for the test to say how to end: {"return": value}, {"raise": text} or {"retry": its arguments}."""
    connection = get_current_job().connection
    connection.rpush('at-gate', get_current_job().id)
    _, message = connection.blpop('gate')
    outcome = json.loads(message)
    if outcome.get('unserializable'):
        return lambda: None
    if 'raise' in outcome:
        raise ValueError(outcome['raise'])
    if 'retry' in outcome:
        return Retry(**outcome['retry'])
    return outcome['return']


def play(outcomes='ok'):
    """Ends at once: its nth run as the nth word says: "broken" fails."""
    job = get_current_job()
    n = job.connection.incr('runs:' + job.id)
    outcomes = str(outcomes).split()
    outcome = outcomes[min(n, len(outcomes)) - 1]
    if outcome == 'broken':
        raise ValueError(outcome)
    return n


def again(times):
    """Asks for a retry by returning one."""
    return Retry(max=times)


def called(*args):
    """A callback."""
