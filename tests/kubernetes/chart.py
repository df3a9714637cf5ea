"""The chart of deploy/kubernetes, rendered as helm would render it, and what stands in its objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

helm: Any = pytest.importorskip("helm_python", reason="helm-python-sdk is missing (extra charts)")

CHART = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rungmaster"
VALUES = Path(__file__).parent / "values"
EXAMPLES = sorted(path.stem for path in VALUES.glob("*.yaml"))
RELEASE, NAMESPACE = "rm", "ml"
Object = dict[str, Any]


def values_of(example: str) -> Object:
    return yaml.safe_load((VALUES / f"{example}.yaml").read_text())


def rendered(values: Object) -> list[Object]:
    """The objects of a release, each once. Raises helm's error where the chart refuses the values."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    texts = (text for name, text in files.items() if not name.endswith("NOTES.txt"))
    objects = [found for text in texts for found in yaml.load_all(text, _NoDuplicates) if found]
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names)
    return objects


class _NoDuplicates(yaml.SafeLoader):
    """YAML lets the last of two equal keys win, and Kubernetes refuses them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(set(keys)) == len(keys), f"a key stands twice: {keys}"
        return super().construct_mapping(node, deep=deep)


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    """By name."""
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """The kind of pod (its component), and its template."""
    for found in objects:
        template = found.get("spec", {}).get("template")
        if template:
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def pod(objects: list[Object], component: str) -> Object:
    return dict(pods(objects))[component]["spec"]


def container(objects: list[Object], component: str) -> Object:
    (found,) = pod(objects, component)["containers"]
    return found


def mounts(spec: Object) -> dict[str, Object]:
    """The volume at each path of the pod's only container."""
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    found: dict[str, Object] = {}
    for mount in spec["containers"][0]["volumeMounts"]:
        # A claim of a StatefulSet's own is no volume of the template.
        volume = volumes.get(mount["name"], {"name": mount["name"], "persistentVolumeClaim": {}})
        found[mount["mountPath"]] = volume | {"readOnly": mount.get("readOnly", False)}
    return found
