"""The worker's small parts: GPUs, variables, the local protocol's lines, the guard."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rungmaster.shared.errors import InvalidInput
from rungmaster.shared.wire.model import Gpu
from rungmaster.worker import scratch
from rungmaster.worker.process.child import describe_exit
from rungmaster.worker.process.environment import base_environment, trial_environment
from rungmaster.worker.slots.gpus import Device, find_gpus
from rungmaster.worker.trial.protocol import Reply, TrialStart, checked_metrics, decode, encode, metrics_to_json

NVIDIA_SMI = """#!/bin/sh
echo "GPU-aaaa, NVIDIA H100 80GB HBM3, 81559"
echo "GPU-bbbb, NVIDIA H100 80GB HBM3, [N/A]"
"""
FIRST = Gpu("GPU-aaaa", "NVIDIA H100 80GB HBM3", 81559 << 20)
SECOND = Gpu("GPU-bbbb", "NVIDIA H100 80GB HBM3", 0)


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose nvidia-smi knows two GPUs, without NVML's package."""
    program = tmp_path / "nvidia-smi"
    program.write_text(NVIDIA_SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setitem(sys.modules, "pynvml", None)


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_found_through_nvidia_smi() -> None:
    assert find_gpus({}) == (Device("0", FIRST), Device("1", SECOND))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1", (Device("1", SECOND),)),
        ("1,0", (Device("1", SECOND), Device("0", FIRST))),
        ("GPU-aa", (Device("GPU-aa", FIRST),)),
        ("7", (Device("7", Gpu("7", "", 0)),)),
        ("0,-1,1", (Device("0", FIRST),)),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
    ],
)
def test_cuda_visible_devices_chooses_among_them(visible: str, expected: tuple[Device, ...]) -> None:
    assert find_gpus({"CUDA_VISIBLE_DEVICES": visible}) == expected


def test_a_host_without_gpus_has_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_gpus({}) == ()


def test_a_broken_nvidia_smi_means_no_gpus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'couldn't communicate'\nexit 9\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert find_gpus({}) == ()


class NvmlError(Exception):
    pass


def nvml(monkeypatch: pytest.MonkeyPatch, *, driver: bool) -> None:
    """This host has no NVIDIA driver, so a module with the few functions of nvidia-ml-py stands in for it."""

    def begin() -> None:
        if not driver:
            raise NvmlError

    module: Any = types.ModuleType("pynvml")
    module.NVMLError = NvmlError
    module.nvmlInit = begin
    module.nvmlShutdown = lambda: None
    module.nvmlDeviceGetCount = lambda: 1
    module.nvmlDeviceGetHandleByIndex = lambda index: index
    module.nvmlDeviceGetUUID = lambda handle: b"GPU-cccc"
    module.nvmlDeviceGetName = lambda handle: "NVIDIA L4"
    module.nvmlDeviceGetMemoryInfo = lambda handle: types.SimpleNamespace(total=24 << 30)
    monkeypatch.setitem(sys.modules, "pynvml", module)


def test_nvml_is_asked_first_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml(monkeypatch, driver=True)
    assert find_gpus({}) == (Device("0", Gpu("GPU-cccc", "NVIDIA L4", 24 << 30)),)


@pytest.mark.usefixtures("two_gpus")
def test_without_a_driver_nvml_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml(monkeypatch, driver=False)
    assert len(find_gpus({})) == 2


START = TrialStart(
    hparams={"learning-rate": 0.1, "layers": 2, "name": "a b", "flag": True, "nothing": None, "tö": [1]},
    experiment_id=1,
    trial_id=7,
    seed=5,
    resource=3,
    target=9,
    metric="loss",
    checkpoint="/tmp/x",
    experiment_name="digits",
)


def test_training_code_finds_its_hyperparameters_in_the_environment() -> None:
    variables = trial_environment(START, Path("/tmp/socket"), None)
    assert json.loads(variables.pop("RUNGMASTER_HPARAMS")) == START.hparams
    assert variables == {
        "RUNGMASTER_SOCKET": "/tmp/socket",
        "RUNGMASTER_EXPERIMENT_ID": "1",
        "RUNGMASTER_TRIAL_ID": "7",
        "RUNGMASTER_SEED": "5",
        "RUNGMASTER_RESOURCE": "3",
        "RUNGMASTER_TARGET": "9",
        "RUNGMASTER_CHECKPOINT": "/tmp/x",
        "RUNGMASTER_HPARAM_LEARNING_RATE": "0.1",
        "RUNGMASTER_HPARAM_LAYERS": "2",
        "RUNGMASTER_HPARAM_NAME": "a b",
        "RUNGMASTER_HPARAM_FLAG": "true",
        "RUNGMASTER_HPARAM_NOTHING": "null",
        "RUNGMASTER_HPARAM_T_": "[1]",
    }


def test_the_workers_own_settings_and_secrets_are_not_passed_on() -> None:
    inherited = {"RUNGMASTER_TOKEN": "secret", "RUNGMASTER_CHECKPOINT": "/old", "PATH": "/bin"}
    base = base_environment(inherited, own_devices=False)
    assert base == {"PATH": f"/bin:{Path(sys.executable).parent}", "PYTHONUNBUFFERED": "1"}


def test_a_trial_sees_the_gpus_of_its_slots_only() -> None:
    start = TrialStart({}, 1, 7, 5, 0, 9, "loss", None, "digits")
    inherited = {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}
    with_gpus = base_environment(inherited, own_devices=True)
    assert "CUDA_VISIBLE_DEVICES" not in with_gpus
    assert with_gpus["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert trial_environment(start, Path("/s"), ("2", "3"))["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert "CUDA_VISIBLE_DEVICES" not in trial_environment(start, Path("/s"), None)
    assert base_environment(inherited, own_devices=False)["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"


def test_what_does_not_fit_into_an_environment_is_left_to_the_socket() -> None:
    start = TrialStart({"text": "x" * 130_000, "zero": "a\0b"}, 1, 7, 5, 0, 9, "loss", None, "digits")
    variables = trial_environment(start, Path("/s"), None)
    assert not {"RUNGMASTER_HPARAMS", "RUNGMASTER_HPARAM_TEXT", "RUNGMASTER_HPARAM_ZERO"} & variables.keys()
    assert json.loads(variables["RUNGMASTER_HPARAMS_LEFT_OUT"]) == ["text", "zero"]


@pytest.mark.parametrize("names", [["lr-max", "lr_max", "LR.max"], ["α", "β"], ["a b", "a_b"], ["x", "X"]])
def test_hyperparameters_that_would_share_a_variable_have_none_and_are_named(names: list[str]) -> None:
    hparams = {**{name: place for place, name in enumerate(names)}, "alone": 1.0}
    variables = trial_environment(TrialStart(hparams, 1, 7, 5, 0, 9, "loss", None, "digits"), Path("/s"), None)
    own = {name for name in variables if name.startswith("RUNGMASTER_HPARAM_")}
    assert own == {"RUNGMASTER_HPARAM_ALONE"}
    assert json.loads(variables["RUNGMASTER_HPARAMS_LEFT_OUT"]) == names
    assert repr(json.loads(variables["RUNGMASTER_HPARAMS"])) == repr(hparams)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Zl", "Zp")), min_size=1, max_size=5),
        st.floats(),
        max_size=5,
    )
)
def test_every_number_survives_the_local_protocol(metrics: dict[str, float]) -> None:
    line = encode({"metrics": metrics_to_json(metrics)})
    assert line.count(b"\n") == 1
    arrived = checked_metrics(decode(line)["metrics"])
    assert arrived.keys() == metrics.keys()
    for name, value in metrics.items():
        assert arrived[name] == value or (math.isnan(arrived[name]) and math.isnan(value))


def test_start_and_answer_survive_the_local_protocol() -> None:
    assert TrialStart.from_json(decode(encode({**START.to_json(), "new": "field"}))) == START
    answer = Reply("pause", 9, save=True)
    assert Reply.from_json(decode(encode(answer.to_json()))) == answer


def test_an_integer_beyond_all_floats_is_an_infinity() -> None:
    assert checked_metrics({"big": 10**400, "small": -(10**400)}) == {"big": math.inf, "small": -math.inf}


@given(st.binary(max_size=60))
def test_no_line_confuses_the_reader(line: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        assert isinstance(decode(line), dict)


def test_deeply_nested_lines_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not a JSON line"):
        decode(b"[" * 100_000)


def test_exits_are_described_in_words() -> None:
    assert describe_exit(3) == "exited with code 3"
    assert describe_exit(-11) == "killed by SIGSEGV (a crash in native code)"
    assert describe_exit(-9) == "killed by SIGKILL (probably out of memory)"
    assert describe_exit(-64) in ("killed by SIGRTMAX", "killed by signal 64")


def test_a_temporary_folder_too_deep_for_sockets_has_a_short_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(deep))
    with scratch.scratch_folder() as folder, socket.socket(socket.AF_UNIX) as listening:
        (folder / "1000000-1000000-1000000").mkdir()
        listening.bind(str(folder / "1000000-1000000-1000000" / "socket"))
        (inside,) = deep.iterdir()
        assert folder.resolve() == inside
    assert list(deep.iterdir()) == []
    assert not folder.parent.exists()


def test_workers_that_start_together_leave_each_others_folders_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch.tempfile, "tempdir", str(tmp_path))
    missing: list[Path] = []

    def start_and_end() -> None:
        for _ in range(60):
            with scratch.scratch_folder() as folder:
                if not (folder / "lock").exists():
                    missing.append(folder)
                scratch._sweep(tmp_path)
                if not (folder / "lock").exists():
                    missing.append(folder)

    workers = [threading.Thread(target=start_and_end) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert missing == []
    assert list(tmp_path.iterdir()) == []
