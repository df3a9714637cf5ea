"""How much may be said at once: the numbers that workers, clients and masters all hold to.

A master refuses what is beyond them with INVALID_ARGUMENT before any of it is applied; a worker never sends it, since
it checks what its training code says first. Lengths of text are in characters.
"""

from __future__ import annotations

#: The largest whole number that every JSON reader holds exactly.
LARGEST_WHOLE = 2**53 - 1

#: Metrics in one report, and the length of a metric's name.
MAX_METRICS = 100
MAX_METRIC_NAME = 100
#: The largest resource, in units.
MAX_RESOURCE = LARGEST_WHOLE
#: The largest number that a column of the database holds; sums of resources stop there.
MAX_TOTAL = 2**63 - 1
#: The end of an error or a reason that is kept.
MAX_ERROR = 4_000
#: What a worker waits for, or why it could not do what it was asked to, in words.
MAX_WAITING = 1_000

#: How many trials a search may make.
MAX_TRIALS = 10**9
#: Every how many-th report thinning may keep.
MAX_KEEP_EVERY = 1_000_000

#: The ids that workers and clients make up: of sessions, work requests and requests to create an experiment.
MAX_ID = 64
#: Characters of a session's secret, at least.
LEAST_SECRET = 16
#: Who submitted an experiment.
MAX_OWNER = 100
#: What people call a worker, its host, its version, a GPU's names, a label's key and its value.
MAX_WORKER_TEXT = 256
MAX_GPUS = 256
MAX_LABELS = 100
#: Slots of one worker. A thousand workers' slots must still be a number of 32 bits.
MAX_SLOTS = 65_536
#: Leases that a worker may say it holds, in one hello.
MAX_HELD = 65_536
#: The URI of a checkpoint, in bytes: PostgreSQL's index over them takes no more than 2,704.
MAX_URI_BYTES = 2_500
MAX_CHECKSUM = 128
#: Files in the fingerprint of a search's training code.
MAX_CODE_FILES = 200

#: Events and deleted checkpoints in one bundle of a worker; its own code sends at most 1,000 events.
MAX_EVENTS = 2_000
#: Metrics of all the events in one bundle together; its own code sends at most 10,000.
MAX_VALUES = 60_000
MAX_DELETED = 10_000
#: Checkpoints that one look into a storage tells of, and experiments of which a worker says it keeps logs.
MAX_FOUND = 1_000
MAX_LOGGED = 10_000
#: Checkpoints that one event tells to be broken; a trial has three at most.
MAX_BROKEN = 100
#: Bytes of a log in one answer of a worker, answers in one bundle, and lines that may be asked for from a log's end.
MAX_LOG_CHUNK = 64 * 1024
MAX_LOG_CHUNKS = 16
MAX_TAIL_LINES = 1_000_000
#: States by which a list is narrowed; there are fewer.
MAX_STATES = 100
#: Bytes in a request that is neither a worker's bundle nor a new experiment.
MAX_REQUEST_BYTES = 64 * 1024
#: Bytes in one message to a master. gRPC refuses larger ones with RESOURCE_EXHAUSTED before any code of ours runs.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024


def last_of(text: str) -> str:
    """The end of an error, as long as it may be, with what cannot be sent (halves of characters) replaced."""
    return _sendable(text[-MAX_ERROR:])


def first_of(text: str) -> str:
    """The beginning of what a worker waits for, as long as it may be, with what cannot be sent replaced."""
    return _sendable(text[:MAX_WAITING])


def _sendable(text: str) -> str:
    return text.encode(errors="replace").decode()
