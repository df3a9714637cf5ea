"""Who may call what: every method of every service, with the roles that may call it. What is not here, nobody may."""

from __future__ import annotations

from enum import StrEnum

from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection


class Role(StrEnum):
    """What a token is for."""

    ADMIN = "admin"
    WORKER = "worker"
    VIEWER = "viewer"


#: Reading; changing something; training. An admin may do all of it.
READ = frozenset({Role.VIEWER, Role.ADMIN})
CHANGE = frozenset({Role.ADMIN})
TRAIN = frozenset({Role.WORKER, Role.ADMIN})
ANY = frozenset(Role)

_SERVICES: dict[str, dict[str, frozenset[Role]]] = {
    "rungmaster.v1.ExperimentService": {
        "CreateExperiment": CHANGE,
        "GetExperiment": READ,
        "ListExperiments": READ,
        "PauseExperiment": CHANGE,
        "ResumeExperiment": CHANGE,
        "CancelExperiment": CHANGE,
        "SetExperiment": CHANGE,
        "ExtendExperiment": CHANGE,
        "DeleteExperiment": CHANGE,
        "ThinExperiment": CHANGE,
        "ListTrials": READ,
        "GetTrial": READ,
        "ListMetrics": READ,
        "WatchExperiment": READ,
        "WatchReports": READ,
    },
    "rungmaster.v1.WorkerService": {"Session": TRAIN},
    "rungmaster.v1.ClusterService": {"ListWorkers": READ, "DrainWorker": CHANGE, "GetMasterInfo": READ},
    health.SERVICE_NAME: {"Check": ANY, "List": ANY, "Watch": ANY},
    reflection.SERVICE_NAME: {"ServerReflectionInfo": READ},
}

ROLES = {f"/{service}/{method}": roles for service, methods in _SERVICES.items() for method, roles in methods.items()}

#: Open to everybody: the probes of Kubernetes and of load balancers can show no token, and learn only "up" or "not".
#: Health's other methods are not: a stream that is held open costs something.
OPEN = frozenset({f"/{health.SERVICE_NAME}/Check"})
