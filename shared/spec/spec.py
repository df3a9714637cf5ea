"""The spec: an experiment as its user wrote it. `docs/spec.md` explains every field to users.

`parse_spec` reads YAML or JSON, `spec_from_json` a mapping; both report every problem of the document at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ..checkpoints.storage import storage_problem
from ..errors import InvalidSpec, Problem
from ..space.hyperparameters import (
    CategoricalSpec,
    Condition,
    ConditionSpec,
    ConstantSpec,
    FloatSpec,
    Hyperparameter,
    HyperparameterSpec,
    IntSpec,
    OrdinalSpec,
    Prior,
)
from ..space.problems import space_problems
from ..space.space import Space
from ..text.stop_limits import limits_told
from ..text.suggestions import few_suggestions
from ..text.visible import hidden_problem
from .code import entrypoint, modules
from .document.plain import plain_document
from .document.reading import parse_document
from .fields import (
    MAX_NAME,
    FieldProblems,
    Model,
    accepted_before,
    got,
    limits_hold,
    listed,
    number,
    one_of,
    text,
    text_problem,
    whole,
)
from .initial import initial_problems
from .problems import MAX_PROBLEMS, problems_of
from .samplers import AnySampler, RandomSamplerSpec, SamplerSpec
from .searchers import AdaptiveAshaSpec, AnySearcher, AshaSpec, Goal, SearcherSpec, max_rungs_that_fit
from .settings import ExperimentSettings, Priority, Weight
from .stopping import StopSpec
from .warm_start import BEST, Earlier, earlier, initial, warm_start_problems

__all__ = [
    "SPEC_RULES",
    "AdaptiveAshaSpec",
    "AshaSpec",
    "CategoricalSpec",
    "CheckpointsSpec",
    "Condition",
    "ConstantSpec",
    "FloatSpec",
    "Goal",
    "Hyperparameter",
    "IntSpec",
    "MetricSpec",
    "OrdinalSpec",
    "Prior",
    "ResourcesSpec",
    "SamplerSpec",
    "SearcherFile",
    "SearcherSpec",
    "Spec",
    "StopSpec",
    "is_spec_of",
    "max_rungs_that_fit",
    "parse_searcher",
    "parse_settings",
    "parse_spec",
    "spec_from_json",
    "spec_to_json",
    "stored_spec",
]

#: The rules by which specs are accepted, stored with each. They become others where what is stored would mean something
#: else, or nothing, to today's reader; a limit that is made tighter is no such change, see `accepted_before`.
SPEC_RULES = 1


def _labels(value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping, such as {{gpu: a100}}; got {got(value)}")
    problems: list[Problem] = []
    for name, label in value.items():
        if not isinstance(name, str) or not isinstance(label, str):
            problems.append(Problem(str(name), f"must be text, got {got(label)}; put it in quotes"))
        elif problem := text_problem(name, MAX_NAME):
            problems.append(Problem(name[:MAX_NAME], f"its name {problem}"))
        elif limits_hold() and (problem := hidden_problem(label)):
            problems.append(Problem(name, problem))
    if problems:
        raise FieldProblems(problems)
    return value


def _switched_off(value: object) -> object:
    """False says more clearly than 0 that something is off."""
    return 0 if value is False else value


class MetricSpec(Model):
    """What the training code reports and the search goes by, and what it should become.

    `best`: which trial is called the best: that with the best result of any report, or that with the best last one,
    as it was at the last rung that it entered.
    """

    name: Annotated[str, text(MAX_NAME)]
    goal: Annotated[Goal, one_of("minimize", "maximize")]
    best: Annotated[Literal["any", "last"], one_of("any", "last")] = "any"


class ResourcesSpec(Model):
    """What one trial needs: slots on one worker, and labels that the worker must have."""

    slots_per_trial: Annotated[int, whole(1, 10_000)] = 1
    labels: Annotated[dict[str, str], BeforeValidator(_labels)] = Field(default_factory=dict)


def _storage(url: str) -> str:
    """Whether its packages are installed, the workers know; a protocol that fsspec does not know, nobody could use."""
    if limits_hold() and (problem := storage_problem(url)):
        raise ValueError(problem)
    return url


class CheckpointsSpec(Model):
    """Where checkpoints are kept (an fsspec URL or a path), which of them, and how often they are made.

    `keep`: while it runs, those of trials that can still be trained on, in each case. Once it has ended in any way,
    `promotable`: those of the best trial and of all that were trained in full; `best`: those of the best trial alone,
    the model of its best result among them; `all`: those of every trial, failed ones too. `interval`: seconds
    between two checkpoints of a running trial; 0: after every step; none: only when a trial pauses.
    """

    storage: Annotated[str, text(1000), AfterValidator(_storage)] = "./checkpoints"
    keep: Annotated[Literal["promotable", "best", "all"], one_of("promotable", "best", "all")] = "promotable"
    interval: Annotated[int | float, number(minimum=0, maximum=1e9)] | None = 60


_Hyperparameters = dict[Any, HyperparameterSpec]
_Forbidden = Annotated[tuple[ConditionSpec, ...], BeforeValidator(listed)]


class Spec(Model):
    """An experiment: what to train, what to search, how, and with what.

    `unit` names the resource (epochs, steps, …). `preload`: the modules that a worker imports before it forks the
    processes of a function; none: the installed libraries that its source names. `max_restarts`: how often a trial may
    start anew after its own code failed; `fail_fast`: the experiment fails once the first attempts of so many trials,
    one after the other, all failed with the same error before anything was reported, or once no worker can start it;
    0 or false: never. `max_workers_lost`: how many workers it may lose before it is taken for poison.
    `initial_trials`: hyperparameters of the first trials, each whole or in part, or `best`: the best of the experiments
    in `warm_start`, whose results the sampler is told. `stop`: what ends the search early.
    `progress_timeout`: seconds without a report after which a trial counts as hanging; none: never. Of the experiments
    with work the highest `priority` goes first, and equals share the slots by `weight`. `seed` decides every random
    draw.
    """

    name: Annotated[str, text(MAX_NAME)]
    entrypoint: Annotated[str | tuple[str, ...], BeforeValidator(entrypoint)]
    preload: Annotated[tuple[str, ...], BeforeValidator(modules)] | None = None
    metric: MetricSpec
    unit: Annotated[str, text(MAX_NAME)] = "units"
    hyperparameters: _Hyperparameters
    forbidden: _Forbidden = ()
    initial_trials: Annotated[tuple[dict[Any, Any], ...] | Literal["best"], BeforeValidator(initial)] = ()
    warm_start: Annotated[tuple[Annotated[int, Earlier], ...], BeforeValidator(earlier)] = ()
    searcher: AnySearcher
    stop: StopSpec = StopSpec()
    sampler: AnySampler = RandomSamplerSpec()
    resources: ResourcesSpec = ResourcesSpec()
    checkpoints: CheckpointsSpec = CheckpointsSpec()
    max_restarts: Annotated[int, whole(0, 10**6)] = 3
    fail_fast: Annotated[int, whole(0, 10**6), BeforeValidator(_switched_off)] = 5
    max_workers_lost: Annotated[int, whole(0, 10**6)] = 3
    progress_timeout: Annotated[int | float, number(above=0, maximum=1e9)] | None = None
    priority: Priority = 0
    weight: Weight = 1.0
    seed: Annotated[int, whole(0)] = 0

    @property
    def first_trials(self) -> tuple[dict[Any, Any], ...]:
        """The initial trials; none as long as the best of earlier experiments are not chosen."""
        return () if isinstance(self.initial_trials, str) else self.initial_trials

    @property
    def settings(self) -> ExperimentSettings:
        """What of it may be changed later, as it is at the beginning."""
        return ExperimentSettings(
            priority=self.priority,
            weight=self.weight,
            max_concurrent_trials=self.searcher.max_concurrent_trials,
        )

    @property
    def limits(self) -> tuple[str, ...]:
        """What may end the search early, in words."""
        return tuple(limits_told(self.stop.model_dump(), self.metric.name, self.metric.goal, self.unit))

    @property
    def keeps_best_result(self) -> bool:
        """Whether the model of the best result of any report is kept."""
        return self.checkpoints.keep == "best" and self.metric.best == "any"

    @model_validator(mode="after")
    def _space_fits(self) -> Self:
        return _with_fitting_space(self)


_S = TypeVar("_S", "Spec", "SearcherFile")


def _with_fitting_space(document: _S) -> _S:
    """The same. Raises FieldProblems where its space does not fit together, or not with its searcher."""
    problems: list[Problem] = []
    if isinstance(document, Spec) or document.hyperparameters:
        problems = space_problems(document.hyperparameters, document.forbidden)
    if not problems:
        problems = document.searcher.space_problems(document.hyperparameters, document.forbidden)
    if not problems and isinstance(document, Spec):
        problems = document.sampler.searcher_problems(document.searcher)
    if not problems and isinstance(document, Spec) and document.first_trials:
        space = (document.hyperparameters, document.forbidden, document.seed)
        problems = initial_problems(document.first_trials, *space, document.searcher.most_initial)
    if not problems and isinstance(document, Spec) and limits_hold():
        problems = warm_start_problems(document.warm_start, document.sampler, document.initial_trials)
    if problems:
        raise FieldProblems(problems)
    return document


class SearcherFile(Model):
    """A document with only what `plan`, `simulate` and `drive` need."""

    metric: MetricSpec | None = None
    hyperparameters: _Hyperparameters = Field(default_factory=dict)
    forbidden: _Forbidden = ()
    searcher: AnySearcher
    seed: Annotated[int, whole(0)] = 0

    @model_validator(mode="after")
    def _space_fits(self) -> Self:
        return _with_fitting_space(self)


def parse_spec(text: str, *, source: str = "spec") -> Spec:
    """The spec in a YAML or JSON text of at most 1 MiB. Raises InvalidSpec with every problem of it."""
    return parse_with_space(text, source=source)[0]


def parse_with_space(text: str, *, source: str = "spec") -> tuple[Spec, Space]:
    """The same with its search space, of which a part is made already. Raises InvalidSpec with every problem."""
    return _spec_of(parse_document(text, source=source))


def parse_searcher(text: str, *, source: str = "spec") -> Spec | SearcherFile:
    """A spec, or a document with a `searcher` and what that needs alone. Raises InvalidSpec with every problem."""
    document = parse_document(text, source=source)
    if isinstance(document, dict) and document and document.keys() <= SearcherFile.model_fields.keys():
        return _validated(SearcherFile, document)
    return _spec_of(document)[0]


def spec_from_json(document: Mapping[str, Any]) -> Spec:
    """The spec in a mapping, from Python or from `spec_to_json`. Raises InvalidSpec with every problem of it."""
    return _spec_of(document)[0]


def stored_spec(document: Mapping[str, Any], rules: int = SPEC_RULES) -> Spec:
    """The spec in a mapping that was accepted once, by the rules of then.

    Only what a search needs to run is looked at: every field that is known, with values of the right type that fit
    together; no limits, and nothing is drawn. Raises InvalidSpec where that is not so, or a newer version's rules were
    meant.
    """
    if rules > SPEC_RULES:
        newer = f"was accepted by the rules {rules} of a newer version; this one knows those up to {SPEC_RULES}"
        raise InvalidSpec([Problem("", newer)])
    with accepted_before():
        return _validated(Spec, document)


def parse_settings(changes: Mapping[str, Any]) -> ExperimentSettings:
    """A change of settings. Raises InvalidSpec with every problem of it."""
    return _validated(ExperimentSettings, changes)


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """The spec as plain JSON values, every default filled in; `spec_from_json` gives the same spec back."""
    return spec.model_dump(mode="json")


def is_spec_of(document: Mapping[str, Any], spec: Spec) -> bool:
    """Whether a stored document is this spec, also where a version that had fewer fields with defaults stored it."""
    if spec.initial_trials == BEST:
        # Which they are is chosen when it is stored.
        document = {**document, "initial_trials": BEST}
    wanted = _canonical(spec_to_json(spec))
    if _canonical(document) == wanted:
        return True
    try:
        return _canonical(spec_to_json(stored_spec(document))) == wanted
    except InvalidSpec:
        return False


def _canonical(document: Mapping[str, Any]) -> str:
    """As text: for Python 1 is 1.0 and true, but trials with one or the other are trained otherwise."""
    return json.dumps(document, sort_keys=True)


def _spec_of(document: object) -> tuple[Spec, Space]:
    spec = _validated(Spec, document)
    space = Space(spec.hyperparameters, spec.forbidden)
    # Whether anything is left to draw shows only by drawing.
    if spec.forbidden and spec.searcher.trials is not None and (problems := space.problems()):
        raise InvalidSpec(problems)
    return spec, space


_M = TypeVar("_M", bound=BaseModel)


def _validated(model: type[_M], document: object) -> _M:
    """The document as a model. Raises InvalidSpec with every problem, at most one for each place in the document."""
    if not isinstance(document, Mapping):
        raise InvalidSpec([Problem("", f"must be a mapping of fields, such as name: …, got {got(document)}")])
    plain, problems = plain_document(document) if limits_hold() else (dict(document), [])
    with few_suggestions():
        try:
            valid = model.model_validate(plain)
        except ValidationError as error:
            problems += [*problems_of(error, model), *_space_problems_of(plain)]
        else:
            if not problems:
                return valid
    raise InvalidSpec(_most_important(problems))


def _most_important(problems: Sequence[Problem]) -> list[Problem]:
    """The first problem of each place, and no more of them than anyone would read."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem)
    shown = [*first.values()][:MAX_PROBLEMS]
    left = len(first) - len(shown)
    return [*shown, Problem("", f"and {left} more problems")] if left else shown


def _space_problems_of(document: Mapping[str, Any]) -> list[Problem]:
    """What does not fit together in the sound part of a search space; problems of single values are not told here."""
    declared = document.get("hyperparameters")
    if not isinstance(declared, dict):
        return []
    sound = {name: spec for name, value in declared.items() if (spec := _sound(_HYPERPARAMETER, value)) is not None}
    conditions = {name: _condition_of(value) for name, value in declared.items()}
    return space_problems(sound, _sound(_FORBIDDEN, document.get("forbidden", [])) or (), conditions)


def _condition_of(declared: object) -> Condition:
    return _sound(_CONDITION, declared.get("when")) or {} if isinstance(declared, dict) else {}


def _sound(adapter: TypeAdapter[Any], value: object) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        return None


_HYPERPARAMETER: TypeAdapter[Any] = TypeAdapter(HyperparameterSpec)
_FORBIDDEN: TypeAdapter[Any] = TypeAdapter(_Forbidden)
_CONDITION: TypeAdapter[Any] = TypeAdapter(ConditionSpec)
