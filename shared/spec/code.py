"""The fields of a spec that name training code: what is started for a trial, and what is imported before that."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import Problem
from .fields import FieldProblems, got, limits_hold

_MAX_MODULES = 100
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def entrypoint(value: object) -> str | tuple[str, ...]:
    """A function, or a command and its arguments. Raises ValueError."""
    if isinstance(value, str) and _FUNCTION.fullmatch(value) and not (len(value) > 1000 and limits_hold()):
        return value
    if isinstance(value, list | tuple) and value:
        return _command(value)
    raise ValueError(
        "must be module:function, such as examples.digits:train, or a list: a command and its arguments; "
        f"got {got(value)}"
    )


def _command(parts: Iterable[object]) -> tuple[str, ...]:
    problems: list[Problem] = []
    for index, part in enumerate(parts):
        if not isinstance(part, str):
            problems.append(Problem(f"[{index}]", f"must be text, got {got(part)}; put it in quotes"))
        elif not part.strip() and index == 0:
            problems.append(Problem("[0]", "must be a command, got nothing"))
    if problems:
        raise FieldProblems(problems)
    return tuple(str(part) for part in parts)


def modules(value: object) -> tuple[str, ...]:
    """Names of modules. Raises ValueError."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be a list of modules, such as [torch, sklearn.svm]; got {got(value)}")
    if len(value) > _MAX_MODULES and limits_hold():
        raise ValueError(f"must name at most {_MAX_MODULES} modules, got {len(value)}")
    names = tuple(
        each
        for each in value
        if isinstance(each, str) and not (len(each) > 1000 and limits_hold()) and _MODULE.fullmatch(each)
    )
    problems = [
        Problem(f"[{index}]", f"must be the name of a module, such as sklearn.svm; got {got(each)}")
        for index, each in enumerate(value)
        if each not in names
    ]
    if problems:
        raise FieldProblems(problems)
    return names
