"""Who may call what: every method of every service, with the roles that may call it. What is not here, nobody may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection


class Role(StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    WORKER = "worker"
    VIEWER = "viewer"
    SUBMITTER = "submitter"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which roles may call a method: whatever it is about, and where it is about what the caller submitted."""

    roles: frozenset[Role]
    owners: frozenset[Role] = frozenset()


#: Reading; submitting; steering an experiment; changing something that is everybody's; training. An admin may do all.
READ = Rule(frozenset({Role.VIEWER, Role.SUBMITTER, Role.ADMIN}))
SUBMIT = Rule(frozenset({Role.SUBMITTER, Role.ADMIN}))
STEER = Rule(frozenset({Role.ADMIN}), owners=frozenset({Role.SUBMITTER}))
CHANGE = Rule(frozenset({Role.ADMIN}))
TRAIN = Rule(frozenset({Role.WORKER, Role.ADMIN}))
ANY = Rule(frozenset(Role))
#: Those whose calls are written down.
CHANGING = (SUBMIT, STEER, CHANGE)

EXPERIMENTS = "rungmaster.v1.ExperimentService"
_SERVICES: dict[str, dict[str, Rule]] = {
    EXPERIMENTS: {
        "CreateExperiment": SUBMIT,
        "GetExperiment": READ,
        "ListExperiments": READ,
        "PauseExperiment": STEER,
        "ResumeExperiment": STEER,
        "CancelExperiment": STEER,
        "SetExperiment": STEER,
        "ExtendExperiment": STEER,
        "DeleteExperiment": STEER,
        "ThinExperiment": STEER,
        "ListTrials": READ,
        "GetTrial": READ,
        "ListMetrics": READ,
        "WatchExperiment": READ,
        "WatchReports": READ,
        "ReadCurves": READ,
        "ListActs": READ,
        "ReadTrialLog": READ,
    },
    "rungmaster.v1.WorkerService": {"Session": TRAIN},
    "rungmaster.v1.ClusterService": {"ListWorkers": READ, "DrainWorker": CHANGE, "GetMasterInfo": READ},
    health.SERVICE_NAME: {"Check": ANY, "List": ANY, "Watch": ANY},
    reflection.SERVICE_NAME: {"ServerReflectionInfo": READ},
}

RULES = {f"/{service}/{method}": rule for service, methods in _SERVICES.items() for method, rule in methods.items()}

#: Open to everybody: the probes of Kubernetes and of load balancers can show no token, and learn only "up" or "not".
#: Health's other methods are not: a stream that is held open costs something.
OPEN = frozenset({f"/{health.SERVICE_NAME}/Check"})


def may(role: Role, method: str, *, owns: bool) -> bool:
    """Whether a role may call a method (`/service/method`); `owns`: about an experiment that the caller submitted."""
    rule = RULES.get(method)
    return rule is not None and (role in rule.roles or (owns and role in rule.owners))
