"""The samplers that a spec can name: where the hyperparameters of new trials come from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    SerializeAsAny,
    Tag,
    TypeAdapter,
    model_validator,
)

from ..errors import Problem
from .elsewhere import SAMPLERS as FOREIGN
from .elsewhere import known_as
from .fields import MAX_NAME, FieldProblems, Model, did_you_mean, got, number, one_of, text
from .searchers import SearcherSpec

OPTUNA_SAMPLERS = (
    "TPESampler",
    "GPSampler",
    "CmaEsSampler",
    "NSGAIISampler",
    "NSGAIIISampler",
    "QMCSampler",
    "RandomSampler",
    "BruteForceSampler",
    "GridSampler",
)
"""Those of Optuna's samplers that can be made from plain values."""


class SamplerSpec(Model):
    """What the fields of every sampler have in common."""

    #: Whether it is a program of its own, which the master talks to; else the master draws by itself.
    is_program: ClassVar[bool] = False

    name: str

    @property
    def origin(self) -> str:
        """What people are told of a trial's hyperparameters that it gave."""
        return self.name

    def searcher_problems(self, searcher: SearcherSpec) -> list[Problem]:
        """What it cannot do for this searcher, by the paths of the spec."""
        if searcher.trials is not None:
            return []
        what = f"is not for searcher {searcher.name}, which draws no hyperparameters; leave it out"
        return [Problem("sampler", f"{self.name} {what}")]


class RandomSamplerSpec(SamplerSpec):
    """Each trial is drawn by itself, as the search space has it."""

    name: Annotated[str, one_of("random")] = "random"

    def searcher_problems(self, searcher: SearcherSpec) -> list[Problem]:  # noqa: ARG002 - what all have who ask for none
        """None: it serves every searcher."""
        return []


class QuasiRandomSpec(SamplerSpec):
    """Trials are spread over the search space more evenly than by chance: a scrambled Sobol sequence."""

    name: Annotated[str, one_of("quasi_random")] = "quasi_random"


class ProgramSamplerSpec(SamplerSpec):
    """What the samplers share that are programs of their own.

    `patience`: so many seconds may a trial wait for its hyperparameters before it is drawn at random. `memory`: so many
    GiB may the program use before it is ended.
    """

    is_program: ClassVar[bool] = True

    patience: Annotated[int | float, number(above=0, maximum=1e6)] = 10
    memory: Annotated[int | float, number(above=0, maximum=1e6)] = 4

    @property
    def program_name(self) -> str:
        """Under which name the program is registered; empty for one of ours."""
        return ""

    def told(self) -> dict[str, Any]:
        """What the program is told of the spec's fields: all that only it can understand."""
        return self.model_dump(mode="json", exclude={*ProgramSamplerSpec.model_fields})


class BohbSpec(ProgramSamplerSpec):
    """Density estimates of the good and of the bad trials (Falkner et al. 2018)."""

    name: Annotated[str, one_of("bohb")] = "bohb"


class CqrSpec(ProgramSamplerSpec):
    """Conformalised quantile regression (Salinas et al. 2023)."""

    name: Annotated[str, one_of("cqr")] = "cqr"


class OptunaSpec(ProgramSamplerSpec):
    """One of Optuna's samplers. Fields that are not known here are arguments of its constructor."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, one_of("optuna")] = "optuna"
    sampler: Annotated[str, one_of(*OPTUNA_SAMPLERS)] = "TPESampler"

    @property
    def origin(self) -> str:
        """With the name that the sampler has in Optuna."""
        return f"{self.name} {self.sampler}"

    @model_validator(mode="after")
    def _no_slips(self) -> Self:
        """A field of ours with a slip in its name would be taken for an argument; no argument is close to these two."""
        problems = [
            Problem(name, f"unknown field{slip}")
            for name in self.model_extra or {}
            if (slip := did_you_mean(name, ["patience", "memory"]))
        ]
        if problems:
            raise FieldProblems(problems)
        return self


class HeboSpec(ProgramSamplerSpec):
    """HEBO, Huawei's Bayesian optimisation (Cowen-Rivers et al. 2022)."""

    name: Annotated[str, one_of("hebo")] = "hebo"


class VizierSpec(ProgramSamplerSpec):
    """Open source Vizier, Google's Bayesian optimisation (Song et al. 2022)."""

    name: Annotated[str, one_of("vizier")] = "vizier"


def _options(value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a mapping of what the program is to be told, got {got(value)}")
    return value


class ExternalSpec(ProgramSamplerSpec):
    """A program that the master's operator has registered under a name. `options` are for that program alone."""

    name: Annotated[str, one_of("external")] = "external"
    program: Annotated[str, text(MAX_NAME)]
    options: Annotated[dict[Any, Any], BeforeValidator(_options)] = Field(default_factory=dict)

    @property
    def program_name(self) -> str:
        """Under which name it is registered."""
        return self.program

    @property
    def origin(self) -> str:
        """With the name under which it is registered."""
        return f"{self.name} {self.program}"

    def told(self) -> dict[str, Any]:
        """Its options."""
        return self.model_dump(mode="json")["options"]


SAMPLERS: dict[str, type[SamplerSpec]] = {
    "random": RandomSamplerSpec,
    "quasi_random": QuasiRandomSpec,
    "bohb": BohbSpec,
    "cqr": CqrSpec,
    "optuna": OptunaSpec,
    "hebo": HeboSpec,
    "vizier": VizierSpec,
    "external": ExternalSpec,
}
"""Every sampler by the name that a spec gives it."""


def _named(value: object) -> str | None:
    name = value.get("name") if isinstance(value, Mapping) else getattr(value, "name", None)
    return name if isinstance(name, str) and name in SAMPLERS else None


def _read(value: object) -> SamplerSpec:
    if isinstance(value, str):
        if value not in SAMPLERS:
            raise ValueError(unknown_sampler(value))
        value = {"name": value}
    return _reader(tuple(SAMPLERS.items())).validate_python(value)


def unknown_sampler(name: object) -> str:
    """What is said of a name that no sampler has."""
    suggestion = known_as(name, FOREIGN) or did_you_mean(name, [*SAMPLERS])
    return f"unknown sampler {got(name).removeprefix('text ')}{suggestion}; known: {', '.join(SAMPLERS)}"


@cache
def _reader(samplers: tuple[tuple[str, type[SamplerSpec]], ...]) -> TypeAdapter[Any]:
    annotated = cast(Any, Annotated)
    any_of: Any = reduce(or_, (annotated[model, Tag(name)] for name, model in samplers))
    return TypeAdapter(annotated[any_of, Discriminator(_named)])


AnySampler = Annotated[SerializeAsAny[SamplerSpec], PlainValidator(_read)]
"""The sampler of a spec: one of SAMPLERS by its name, with all its fields; or just the name."""
