"""What other systems call things, and what they are here; `docs/coming-from.md` has the same table for people."""

from __future__ import annotations

from typing import NamedTuple

DETERMINED, RAY, OPTUNA, SYNE, WANDB = "Determined", "Ray Tune", "Optuna", "Syne Tune", "W&B sweeps"


class Foreign(NamedTuple):
    """A name, the systems that use it, and what stands for it in a spec of ours."""

    name: str
    systems: tuple[str, ...]
    here: str


_FLOAT = "`{type: float, low: …, high: …}`"
_LOG = "`{type: float, low: …, high: …, log: true}`"
_INT = "`{type: int, low: …, high: …}`"
_LOG_INT = "`{type: int, low: …, high: …, log: true}`"
_CHOICE = "`{type: categorical, choices: […]}`"
_NO_STEPS = "not here: list the values, `{type: ordinal, sequence: […]}`"
_LOWEST = "not a field: fewer or more `searcher.max_rungs` move the lowest rung up or down"
_CLOCK = "`stop: {time: 8h}`; a number there is in seconds"
_STOPPING = "`searcher: {name: asha, stop_once: true, …}`"
_HYPERBAND = "`searcher: {name: hyperband, …}`"
_ADAPTIVE = "`searcher: {name: adaptive_asha, …}`"

FIELDS: tuple[Foreign, ...] = (
    Foreign("max_t", (RAY, SYNE), "`searcher.max_resource`"),
    Foreign("max_length", (DETERMINED,), "`searcher.max_resource`, a number in the spec's `unit`"),
    Foreign("max_time", (DETERMINED,), "`searcher.max_resource`"),
    Foreign("time_metric", (DETERMINED,), "`unit`"),
    Foreign("time_attr", (RAY,), "`unit`"),
    Foreign("resource_attr", (SYNE,), "`unit`"),
    Foreign("scheduling_unit", (DETERMINED,), "`unit`"),
    Foreign("records_per_epoch", (DETERMINED,), "not a field: count in the `unit` that your code reports"),
    Foreign("max_resource_level", (SYNE,), "`searcher.max_resource`"),
    Foreign("max_resource_attr", (SYNE,), "`searcher.max_resource`"),
    Foreign("max_epochs", (SYNE,), "`searcher.max_resource`, with `unit: epochs`"),
    Foreign("max_iter", (WANDB,), "`searcher.max_resource`"),
    Foreign("min_iter", (WANDB,), _LOWEST),
    Foreign("grace_period", (RAY, SYNE), _LOWEST),
    Foreign("min_resource", (OPTUNA,), _LOWEST),
    Foreign("reduction_factor", (RAY, OPTUNA, SYNE), "`searcher.divisor`"),
    Foreign("eta", (WANDB, SYNE), "`searcher.divisor`"),
    Foreign("brackets", (RAY, SYNE), "`searcher.bracket_rungs`, the number of rungs of each"),
    Foreign("n_brackets", (OPTUNA,), "`searcher.bracket_rungs`, the number of rungs of each"),
    Foreign("num_samples", (RAY,), "`searcher.max_trials`"),
    Foreign("n_trials", (OPTUNA,), "`searcher.max_trials`"),
    Foreign("max_num_trials_started", (SYNE,), "`searcher.max_trials`"),
    Foreign("run_cap", (WANDB,), "`searcher.max_trials`"),
    Foreign("perturbation_interval", (RAY, SYNE), "`searcher.interval` of `pbt`"),
    Foreign("quantile_fraction", (RAY, SYNE), "`searcher.truncation` of `pbt`"),
    Foreign("resample_probability", (RAY, SYNE), "`searcher.resample` of `pbt`"),
    Foreign("population_size", (SYNE,), "`searcher.population` of `pbt`"),
    Foreign("hyperparam_mutations", (RAY,), "not a field: `pbt` explores all of `hyperparameters`"),
    Foreign("count", (DETERMINED,), _NO_STEPS),
    Foreign("points_to_evaluate", (RAY, SYNE), "`initial_trials`"),
    Foreign("max_concurrent", (RAY,), "`searcher.max_concurrent_trials`"),
    Foreign("n_jobs", (OPTUNA,), "`searcher.max_concurrent_trials`, or the number of workers"),
    Foreign("n_workers", (SYNE,), "`searcher.max_concurrent_trials`, or the number of workers"),
    Foreign("max_wallclock_time", (SYNE,), _CLOCK),
    Foreign("time_budget_s", (RAY,), _CLOCK),
    Foreign("timeout", (OPTUNA,), _CLOCK),
    Foreign("smaller_is_better", (DETERMINED,), "`metric.goal: minimize`, or `maximize`"),
    Foreign("direction", (OPTUNA,), "`metric.goal: minimize`, or `maximize`"),
    Foreign("mode", (RAY, SYNE), "`metric.goal: minimize`, or `maximize`; `mode: standard` is for `adaptive_asha`"),
    Foreign("min", (RAY, SYNE), "`metric.goal: minimize`; a hyperparameter's lower bound is `low`"),
    Foreign("max", (RAY, SYNE), "`metric.goal: maximize`; a hyperparameter's upper bound is `high`"),
    Foreign("scheduler", (RAY, SYNE), "`searcher`"),
    Foreign("search_alg", (RAY,), "`sampler`"),
    Foreign("pruner", (OPTUNA,), "`searcher`"),
    Foreign("method", (WANDB,), "`searcher.name`"),
    Foreign("early_terminate", (WANDB,), "`searcher`"),
    Foreign("stop_last_trials", (RAY,), "not a field: who reached `searcher.max_resource` ends"),
    Foreign("param_space", (RAY,), "`hyperparameters`"),
    Foreign("config_space", (SYNE,), "`hyperparameters`"),
    Foreign("parameters", (WANDB,), "`hyperparameters`"),
    Foreign("study_name", (OPTUNA,), "`name`"),
    Foreign("program", (WANDB,), "`entrypoint: [python3, program.py]`"),
    Foreign("command", (WANDB,), "`entrypoint`, a list"),
    Foreign("trainable", (RAY,), "`entrypoint: module:function`"),
    Foreign("objective", (OPTUNA,), "`entrypoint: module:function`"),
    Foreign("resources_per_trial", (RAY,), "`resources.slots_per_trial`"),
    Foreign("max_failures", (RAY,), "`max_restarts`"),
    Foreign("checkpoint_storage", (DETERMINED,), "`checkpoints.storage`"),
    Foreign("storage_path", (RAY,), "`checkpoints.storage`"),
    Foreign("source_trial_id", (DETERMINED,), "not here"),
    Foreign("minval", (DETERMINED,), "`low`"),
    Foreign("maxval", (DETERMINED,), "`high`"),
    Foreign("lower", (RAY, SYNE), "`low`"),
    Foreign("upper", (RAY, SYNE), "`high`"),
    Foreign("base", (DETERMINED, RAY), "`low` and `high` as values (1e-5), with `log: true`"),
    Foreign("vals", (DETERMINED,), "`choices`"),
    Foreign("val", (DETERMINED,), "`value`, or just the value"),
    Foreign("values", (WANDB,), "`choices`"),
    Foreign("categories", (RAY,), "`choices`"),
    Foreign("distribution", (WANDB,), "`type`"),
    Foreign("q", (RAY, WANDB), _NO_STEPS),
    Foreign("step", (OPTUNA,), _NO_STEPS),
    Foreign("mu", (WANDB,), "`prior: {mean: …, std: …}`"),
    Foreign("sigma", (WANDB,), "`prior: {mean: …, std: …}`"),
)
"""Fields, and the words that stand in them."""

TYPES: tuple[Foreign, ...] = (
    Foreign("double", (DETERMINED,), _FLOAT),
    Foreign("log", (DETERMINED,), _LOG),
    Foreign("const", (DETERMINED,), "`constant`, or just the value"),
    Foreign("uniform", (RAY, SYNE, WANDB), _FLOAT),
    Foreign("loguniform", (RAY, SYNE), _LOG),
    Foreign("log_uniform", (WANDB,), _LOG),
    Foreign("log_uniform_values", (WANDB,), _LOG),
    Foreign("int_uniform", (WANDB,), _INT),
    Foreign("randint", (RAY, SYNE), f"{_INT}, where `high` is one less than Ray Tune's, which leaves its bound out"),
    Foreign("lograndint", (RAY, SYNE), _LOG_INT),
    Foreign("quniform", (RAY,), _NO_STEPS),
    Foreign("q_uniform", (WANDB,), _NO_STEPS),
    Foreign("finrange", (SYNE,), _NO_STEPS),
    Foreign("logfinrange", (SYNE,), _NO_STEPS),
    Foreign("randn", (RAY,), "`{type: float, low: …, high: …, prior: {mean: …, std: …}}`"),
    Foreign("normal", (WANDB,), "`{type: float, low: …, high: …, prior: {mean: …, std: …}}`"),
    Foreign("choice", (RAY, SYNE), _CHOICE),
    Foreign("grid_search", (RAY,), _CHOICE),
    Foreign("suggest_float", (OPTUNA,), _FLOAT),
    Foreign("suggest_int", (OPTUNA,), _INT),
    Foreign("suggest_categorical", (OPTUNA,), _CHOICE),
    Foreign("FloatDistribution", (OPTUNA,), _FLOAT),
    Foreign("IntDistribution", (OPTUNA,), _INT),
    Foreign("CategoricalDistribution", (OPTUNA,), _CHOICE),
)
"""Types of hyperparameters."""

SEARCHERS: tuple[Foreign, ...] = (
    Foreign("async_halving", (DETERMINED,), "`asha`"),
    Foreign("adaptive", (DETERMINED,), "`adaptive_asha`"),
    Foreign("adaptive_simple", (DETERMINED,), "`adaptive_asha`"),
    Foreign("ASHAScheduler", (RAY,), _STOPPING),
    Foreign("AsyncHyperBandScheduler", (RAY,), _STOPPING),
    Foreign("async_hyperband", (RAY,), _STOPPING),
    Foreign("HyperBandScheduler", (RAY,), _HYPERBAND),
    Foreign("SuccessiveHalvingPruner", (OPTUNA,), _STOPPING),
    Foreign("HyperbandPruner", (OPTUNA,), _ADAPTIVE),
    Foreign("PopulationBasedTraining", (RAY, SYNE), "`pbt`"),
    Foreign("ASHA", (SYNE,), "`asha`"),
)
"""Searchers."""

SAMPLERS: tuple[Foreign, ...] = (
    Foreign("TPESampler", (OPTUNA,), "`{name: optuna, sampler: TPESampler}`"),
    Foreign("GPSampler", (OPTUNA,), "`{name: optuna, sampler: GPSampler}`"),
    Foreign("CmaEsSampler", (OPTUNA,), "`{name: optuna, sampler: CmaEsSampler}`"),
    Foreign("RandomSampler", (OPTUNA,), "`random`"),
    Foreign("QMCSampler", (OPTUNA,), "`quasi_random`"),
    Foreign("OptunaSearch", (RAY,), "`optuna`"),
    Foreign("HyperOptSearch", (RAY,), "`{name: optuna, sampler: TPESampler}`, the same method"),
    Foreign("HEBOSearch", (RAY,), "`hebo`"),
    Foreign("TuneBOHB", (RAY,), "`bohb`"),
    Foreign("BasicVariantGenerator", (RAY,), "`random`"),
    Foreign("BOHB", (SYNE,), "`bohb`"),
    Foreign("KDE", (SYNE,), "`bohb`, the same method"),
    Foreign("CQR", (SYNE,), "`cqr`"),
    Foreign("RandomSearch", (SYNE,), "`random`"),
    Foreign("bayes", (WANDB,), "`{name: optuna, sampler: GPSampler}`, the same method"),
)
"""Samplers."""


def known_as(name: object, table: tuple[Foreign, ...]) -> str:
    """`; "max_t" is the name of Ray Tune: here it is …` where another system has the name, else nothing."""
    found = next((each for each in table if each.name == name), None)
    if found is None:
        return ""
    return f'; "{found.name}" is the name of {" and ".join(found.systems)}: here it is {found.here.replace("`", "")}'
