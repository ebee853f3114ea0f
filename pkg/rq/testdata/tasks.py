"""Functions that the interop tests put on queues for Python workers."""

import json

from rq import get_current_job


def add(a, b=0):
    return a + b


def echo(*args, **kwargs):
    return {'args': args, 'kwargs': kwargs}


def fail(text):
    raise ValueError(text)


def gate(*args, **kwargs):
    """Waits for the test to say how to end: {"return": value} or {"raise": text}."""
    connection = get_current_job().connection
    connection.rpush('at-gate', get_current_job().id)
    _, message = connection.blpop('gate')
    outcome = json.loads(message)
    if 'raise' in outcome:
        raise ValueError(outcome['raise'])
    return outcome['return']
