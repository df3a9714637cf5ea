"""What is read of a stored spec that may be damaged."""

from __future__ import annotations

import pytest

from rungmaster.master.experiment.essentials import UNKNOWN, essentials, storage_of


@pytest.mark.parametrize(
    "spec",
    [
        None,
        "text",
        {},
        {"checkpoints": None},
        {"checkpoints": []},
        {"checkpoints": {}},
        {"checkpoints": {"storage": 3}},
    ],
)
def test_a_spec_that_does_not_tell_its_storage_breaks_nothing(spec: object) -> None:
    assert storage_of(spec) is None


def test_the_storage_is_told_also_by_a_spec_whose_metric_is_damaged() -> None:
    spec = {"metric": 3, "checkpoints": {"storage": "s3://bucket/runs"}}
    assert essentials(spec) == UNKNOWN
    assert storage_of(spec) == "s3://bucket/runs"
