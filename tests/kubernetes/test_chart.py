"""The chart of deploy/kubernetes: helm renders it, Kubernetes' own schemas take it, its pods are hardened, what cannot
work is refused, and its commands run. No cluster is needed."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from rungmaster.master.metrics import families

from .chart import (
    CHART,
    EXAMPLES,
    NAMESPACE,
    Object,
    container,
    helm,
    mounts,
    of_kind,
    pod,
    pods,
    rendered,
    values_of,
)

schemas: Any = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is missing (extra charts)")

#: The oldest version that the chart is for, and a newer one.
VERSIONS = ("1.31.0", "1.37.0")
#: Of KEDA and the Prometheus operator, whose schemas are in no package.
CUSTOM = {"ScaledObject", "ServiceMonitor", "PrometheusRule"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_helm_finds_nothing_and_kubernetes_own_schemas_take_every_object(example: str) -> None:
    found = helm.lint(str(CHART), values_of(example))["messages"]
    assert [message for message in found if message["error"] != "icon is recommended"] == []
    objects = rendered(values_of(example))
    assert {each["kind"] for each in objects} >= {"Deployment", "Service", "PodDisruptionBudget", "ServiceAccount"}
    for each in objects:
        for version in VERSIONS if each["kind"] not in CUSTOM else ():
            schemas.validate(each, version, strict=True)


@pytest.mark.parametrize("example", EXAMPLES)
def test_pods_have_no_privilege_and_write_to_volumes_alone(example: str) -> None:
    for component, template in pods(rendered(values_of(example))):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        security = spec["securityContext"]
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["fsGroup"] == security["runAsUser"]
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for each in spec["containers"]:
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert each["resources"]["limits"]["memory"]
        for path, volume in mounts(spec).items():
            kinds = volume.keys() & {"emptyDir", "persistentVolumeClaim", "secret"}
            assert len(kinds) == 1, f"{component}: {path}"
            assert volume["readOnly"] == (kinds == {"secret"}), f"{component}: {path}"
        assert "/tmp" in mounts(spec)


@pytest.mark.parametrize("example", EXAMPLES)
def test_everything_that_names_another_thing_names_one_that_is_there(example: str) -> None:
    values, objects = values_of(example), rendered(values_of(example))
    labels = {component: template["metadata"]["labels"] for component, template in pods(objects)}

    def selected(selector: Object) -> set[str]:
        return {component for component, own in labels.items() if selector.items() <= own.items()}

    for name, service in of_kind(objects, "Service").items():
        (component,) = selected(service["spec"]["selector"])
        ports = {port["name"] for port in container(objects, component)["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name
    for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for name, each in of_kind(objects, kind).items():
            assert len(selected(each["spec"][field]["matchLabels"])) == 1, name
    accounts = of_kind(objects, "ServiceAccount")
    claims = {*of_kind(objects, "PersistentVolumeClaim"), "shared"}
    secrets = {*of_kind(objects, "Secret"), *re.findall(r"[Ss]ecret: ([\w-]+)", yaml.safe_dump(values))}
    for _, template in pods(objects):
        spec = template["spec"]
        assert spec["serviceAccountName"] in accounts
        text = yaml.safe_dump(spec)
        assert set(re.findall(r"claimName: ([\w-]+)", text)) <= claims
        named = re.findall(r"secretName: ([\w-]+)", text)
        named += [
            env["valueFrom"]["secretKeyRef"]["name"]
            for env in spec["containers"][0].get("env", ())
            if "secretKeyRef" in env.get("valueFrom", {})
        ]
        assert set(named) <= secrets


def test_only_the_master_that_serves_is_in_the_service_and_all_are_scraped() -> None:
    objects = rendered(values_of("production"))
    services, master = of_kind(objects, "Service"), container(objects, "master")
    args = dict(arg[2:].partition("=")[::2] for arg in master["args"][1:])
    ports = {port["name"]: port["containerPort"] for port in master["ports"]}
    assert ports == {"grpc": 50051, "health": 50052, "metrics": 9151}
    listens = {"grpc": "listen", "health": "health-listen", "metrics": "metrics-listen"}
    assert {name: args[option] for name, option in listens.items()} == {n: f"0.0.0.0:{p}" for n, p in ports.items()}
    assert master["readinessProbe"]["grpc"]["port"] == ports["health"]
    assert master["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert "publishNotReadyAddresses" not in services["search-master"]["spec"]
    assert services["search-metrics"]["spec"]["publishNotReadyAddresses"] is True
    assert of_kind(objects, "PodDisruptionBudget")["search-master"]["spec"]["maxUnavailable"] == 3
    (worker,) = [arg for arg in container(objects, "worker")["args"] if arg.startswith("--master=")]
    assert worker == f"--master=search-master:{services['search-master']['spec']['ports'][0]['port']}"


def test_workers_get_their_gpus_and_no_key_of_the_master() -> None:
    objects = rendered(values_of("production"))
    worker = container(objects, "worker")
    assert worker["resources"]["limits"] == {"nvidia.com/gpu": 2, "memory": "8Gi"}
    assert {"--slots=2", "--label=gpu=a100", "--label=fast=true", "--hide-variable=AWS_*"} <= set(worker["args"])
    assert mounts(pod(objects, "worker"))["/etc/rungmaster/tls"]["secret"]["items"] == [
        {"key": "ca.crt", "path": "ca.crt"}
    ]
    assert pod(objects, "worker")["terminationGracePeriodSeconds"] > 60
    text = yaml.safe_dump(pod(rendered(values_of("tryout")), "worker"))
    assert "nvidia" not in text
    assert "secret" not in text


def test_workers_of_a_job_leave_when_idle_and_each_revision_has_its_own() -> None:
    objects = rendered(values_of("one-master"))
    (job,) = of_kind(objects, "Job").values()
    assert job["metadata"]["name"] == "rm-workers-1"
    assert job["spec"]["parallelism"] == 4
    assert "completions" not in job["spec"]
    assert "--exit-when-idle=120" in container(objects, "worker")["args"]
    assert mounts(pod(objects, "worker"))["/mnt/runs"]["persistentVolumeClaim"] == {"claimName": "shared"}
    assert of_kind(objects, "Deployment")["rm-master"]["spec"]["strategy"] == {"type": "Recreate"}
    assert not of_kind(objects, "NetworkPolicy")


def test_keda_scales_by_a_number_that_a_master_tells() -> None:
    promql: Any = pytest.importorskip("promql_parser", reason="promql-parser, of the extra dev, is missing")
    objects = rendered(values_of("production"))
    (scaled,) = of_kind(objects, "ScaledObject").values()
    assert scaled["spec"]["scaleTargetRef"]["name"] in of_kind(objects, "Deployment")
    assert "replicas" not in of_kind(objects, "Deployment")["search-workers"]["spec"], "two would quarrel about it"
    (trigger,) = scaled["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    promql.parse(query)
    assert set(re.findall(r"rungmaster_\w+", query)) <= set(
        re.findall(r"\"(rungmaster_\w+)\"", Path(families.__file__).read_text())
    )
    assert query.count(f'namespace="{NAMESPACE}",service="search-metrics"') == 2
    assert all(isinstance(value, str) for value in trigger["metadata"].values()), "KEDA takes strings alone"
    assert trigger["metadata"]["threshold"] == "2"


def test_the_rules_are_those_of_deploy_prometheus_and_the_job_has_the_name_that_they_ask_for() -> None:
    objects = rendered(values_of("production"))
    alerts = yaml.safe_load((CHART.parents[1] / "prometheus" / "alerts.yaml").read_text())
    (rule,) = of_kind(objects, "PrometheusRule").values()
    assert rule["spec"] == alerts
    (monitor,) = of_kind(objects, "ServiceMonitor").values()
    metrics = of_kind(objects, "Service")["search-metrics"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= metrics["metadata"]["labels"].items()
    assert metrics["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "rungmaster"


def test_the_commands_of_the_page_render() -> None:
    page = (CHART.parent / "README.md").read_text()
    (tryout,) = re.findall(
        r"    helm install rm deploy/kubernetes/rungmaster (--set .*?)\n    kubectl", page, re.DOTALL
    )
    given: Object = {}
    for setting in re.findall(r"--set (\S+)", tryout):
        merge(given, helm.parse_set_string(setting))
    assert "rm-postgresql" in of_kind(rendered(given), "StatefulSet")
    (values,) = re.findall(r"    # my-values.yaml.*?\n(.*?)\n\n", page, re.DOTALL)
    objects = rendered(yaml.safe_load(textwrap.dedent(values)))
    made = set(re.findall(r"kubectl create secret generic (\S+)", page))
    mounted = set(re.findall(r"secretName: (\S+)", yaml.safe_dump(objects)))
    assert mounted == made - {"rm-database"}
    assert container(objects, "master")["env"][0]["valueFrom"]["secretKeyRef"] == {"name": "rm-database", "key": "url"}


def merge(into: Object, more: Object) -> None:
    for name, value in more.items():
        if isinstance(value, dict):
            merge(into.setdefault(name, {}), value)
        else:
            into[name] = value


REFUSED: dict[str, tuple[Object, str]] = {
    "no image of the master": ({"master": {"image": ""}}, "master.image: give the image that deploy/docker/Dockerfile"),
    "no image of the workers": ({"workers": {"image": ""}}, "workers.image: give an image with your training code"),
    "no database": (
        {"database": {"bundled": {"enabled": False}}},
        "database: there is neither PostgreSQL nor a volume to keep the search in",
    ),
    "two databases": (
        {"database": {"bundled": {"enabled": True}, "existingSecret": "db"}},
        "database: give one of database.existingSecret",
    ),
    "SQLite with a standby": (
        {"database": {"bundled": {"enabled": False}, "volume": {"size": "1Gi"}}},
        "master.replicas: SQLite on a volume has one master, not 2: set master.replicas=1, or use PostgreSQL",
    ),
    "neither TLS nor trust": ({"insecure": False}, "tls.existingSecret and tokens.existingSecret: give both"),
    "tokens without TLS": ({"tokens": {"existingSecret": "t"}}, "tokens are sent under TLS only"),
    "workers without a token": (
        {"tls": {"existingSecret": "t"}, "tokens": {"existingSecret": "t"}},
        "workers.tokenSecret: with tokens the workers need one of the role worker",
    ),
    "KEDA with a Job": (
        {"keda": {"enabled": True, "prometheus": "http://p"}, "workers": {"image": "w", "kind": "Job"}},
        "keda.enabled: KEDA scales a Deployment",
    ),
    "KEDA without Prometheus": ({"keda": {"enabled": True}}, "keda.prometheus: give the address of the Prometheus"),
    "KEDA downwards": (
        {"keda": {"enabled": True, "prometheus": "http://p", "minReplicas": 5, "maxReplicas": 2}},
        "keda.maxReplicas: must be at least keda.minReplicas",
    ),
    "a typing error": ({"worker": {"image": "w"}}, "additional properties 'worker' not allowed"),
    "no such kind": ({"workers": {"image": "w", "kind": "DaemonSet"}}, "value must be one of 'Deployment', 'Job'"),
    "no quantity": ({"checkpoints": {"size": "ten"}}, "at '/checkpoints/size': 'ten' does not match pattern"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_work_is_refused_with_what_to_do(why: str) -> None:
    changes, told = REFUSED[why]
    with pytest.raises(helm.HelmError, match=re.escape(told)):
        rendered(values_of("tryout") | changes)


def test_every_value_has_its_place_in_the_schema_and_in_the_defaults() -> None:
    """The schema knows no other values than values.yaml shows, so that neither can be forgotten."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(known: Object, given: Any, path: str) -> None:
        if "properties" in known:
            assert set(known["properties"]) - {"global"} == set(given), path
            for name, value in given.items():
                compare(known["properties"][name], value, f"{path}.{name}")

    compare(schema, defaults, "values")
