"""How a training ended that its process has left, as its master is told: from what was said before, its exit code and
what it left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...shared.text.failure_text import exception_in, failure_text, last_line
from ...shared.wire.session import Assignment, Exit, ExitOutcome
from ..process.child import describe_exit
from ..trial.protocol import LAST_WORD, MAX_REASON
from .conversation import Conversation

#: Of a command's output, so many characters at its end are searched for a traceback.
_SEARCHED = 64_000


@dataclass(frozen=True, slots=True)
class EndedProcess:
    """A training process that is gone. `printed` gives the end of what it printed, of so many characters."""

    code: int
    conversation: Conversation
    assignment: Assignment
    folder: Path
    printed: Callable[[int], str]
    #: It was ended since it had not been heard of for too long.
    overdue: bool
    #: It was ended without being asked to save.
    given_up: bool
    #: It was told to end because the master decided about a report, and not because somebody wants the slots back.
    was_decided: bool

    def outcome(self) -> Exit:
        """How it ended. Reads files."""
        said = self.conversation
        if said.invalid_reason is not None:
            return Exit(ExitOutcome.INVALID_HPARAMS, said.invalid_reason)
        if said.cannot_start is not None:
            return Exit(ExitOutcome.CANNOT_START, failure_text(said.cannot_start, output=self.printed(MAX_REASON)))
        if said.environment_reason is not None:
            return Exit(ExitOutcome.ENVIRONMENT, failure_text(said.environment_reason))
        if said.fault_reason is not None:
            return Exit(ExitOutcome.WORKER_FAULT, said.fault_reason)
        if self.given_up:
            return Exit(ExitOutcome.GIVEN_BACK)
        if self.code == 0 and said.told is not None and not said.lacks_checkpoint:
            return Exit(ExitOutcome.RELEASED if self.was_decided else ExitOutcome.GIVEN_BACK)
        error = failure_text(self._headline(), self._exception(), self.printed(MAX_REASON))
        return Exit(ExitOutcome.FAILED, error)

    def _headline(self) -> str:
        """What ended the process."""
        said = self.conversation
        if self.overdue:
            return f"no report for {self.assignment.progress_timeout_s:g} s (progress_timeout), so it was ended"
        if self.code == 0 and said.lacks_checkpoint:
            return f"exited with code 0, although its checkpoint was refused: {said.refused}"
        if self.code == 0:
            return (
                f"exited with code 0 at resource {said.resource}, before its target ({said.target}) "
                "and without having been told to"
            )
        return describe_exit(self.code)

    def _exception(self) -> str:
        """The exception that ended the process. A Python function's comes from its process; a command's is what its
        output looks like, where it exited by itself."""
        if self.assignment.entrypoint:
            word = self.folder / LAST_WORD
            return word.read_text(errors="replace") if word.is_file() else ""
        if self.code <= 0:
            return ""
        printed = self.printed(_SEARCHED)
        last = last_line(printed)
        return exception_in(printed) or (f"it printed last: {last}" if last else "")
