"""Everything that can be wrong, as a caller sees it.

RungmasterError
├── InvalidInput            what was given is wrong; nothing was stored      INVALID_ARGUMENT     exit 2
│   ├── InvalidSpec         the same for a spec, problem by problem
│   └── CannotStart         this machine lacks what an experiment names
├── NotFound                no such experiment, trial or checkpoint          NOT_FOUND            exit 1
├── FailedPrecondition      its state does not allow it                      FAILED_PRECONDITION  exit 1
├── LimitExceeded           too much at once; try again later                RESOURCE_EXHAUSTED   exit 1
├── Unauthenticated         the master asks for a token that it knows         UNAUTHENTICATED      exit 1
├── PermissionDenied        the token's role does not allow it               PERMISSION_DENIED    exit 1
├── TlsError                TLS is set up differently at the two ends        (at a caller)        exit 1
├── Unavailable             the master or its database is out of reach       UNAVAILABLE          exit 1
│   └── MastershipLost      another master owns the database now
│       └── DatabaseLost    its database was deleted or replaced under a master
├── InternalError           the master met an error of its own               INTERNAL             exit 1
└── DatabaseError           the database cannot be used as it is             (at start)           exit 1
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

#: Numbers of OSErrors by which a machine that is short of something refuses now what it may grant in a moment.
TRANSIENT = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.ETXTBSY})
#: Numbers of OSErrors by which a disk has no room left.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
#: Numbers of OSErrors that a machine's state brings about, whatever runs on it.
ENVIRONMENTAL = TRANSIENT | FULL | {errno.EIO, errno.EROFS, errno.ESTALE}


class RungmasterError(Exception):
    """Base of all errors that are meant for the caller; its text says what is wrong and what to do.

    The ids say which experiment, trial and worker it speaks of, where it speaks of one; a client has them as well.
    """

    def __init__(
        self,
        *arguments: object,
        experiment_id: int | None = None,
        trial_id: int | None = None,
        worker: str | None = None,
    ) -> None:
        super().__init__(*arguments)
        self.experiment_id = experiment_id
        self.trial_id = trial_id
        self.worker = worker

    @property
    def ids(self) -> dict[str, int | str]:
        """Those of the ids that are known, by name."""
        every = {"experiment_id": self.experiment_id, "trial_id": self.trial_id, "worker": self.worker}
        return {name: value for name, value in every.items() if value is not None}


class InvalidInput(RungmasterError):
    """What was given is wrong. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document, at a dotted path such as `searcher.max_trials` (empty for the whole)."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpec(InvalidInput):
    """A document has one or more problems; all of them are given."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CannotStart(InvalidInput):
    """A program, a module, a function or a package that an experiment names is not here."""


class NotFound(RungmasterError):
    """There is no such experiment, trial or checkpoint."""


class FailedPrecondition(RungmasterError):
    """The state of the thing does not allow what was asked."""


class LimitExceeded(RungmasterError):
    """Too much at once; the same call may succeed later."""


class Unauthenticated(RungmasterError):
    """The master asks who is calling, and knows no such token."""


class PermissionDenied(RungmasterError):
    """The master knows the caller, whose role does not allow what was asked."""


class TlsError(RungmasterError):
    """No connection to the master can be trusted, or made at all, before somebody changes certificates or options."""


class Unavailable(RungmasterError):
    """The master or its database cannot be reached now; the same call may succeed later."""


class MastershipLost(Unavailable):
    """Another master has taken over the database; this one can commit nothing more."""


class DatabaseLost(MastershipLost):
    """The database of a running master was deleted, moved or replaced; the master can commit nothing more."""


class InternalError(RungmasterError):
    """The master met an error of its own, whose particulars are in its log; nothing was changed by the call."""


class DatabaseError(RungmasterError):
    """The database cannot be used as it is, for example because a newer version of Rungmaster made it."""
