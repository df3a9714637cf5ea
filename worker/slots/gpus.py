"""Finds the GPUs of this host that the worker may use."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from ...shared.text.visible import visible
from ...shared.wire.model import Gpu

_QUERY = ("--query-gpu=uuid,name,memory.total", "--format=csv,noheader,nounits")
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU: what CUDA_VISIBLE_DEVICES calls it, and what is known about it."""

    visible: str
    gpu: Gpu


def find_gpus(environment: Mapping[str, str] = os.environ) -> tuple[Device, ...]:
    """The GPUs in PCI order, or those that CUDA_VISIBLE_DEVICES names, in its order; none where there are none.

    Asks NVML where the package nvidia-ml-py is installed (extra `gpu`), else the program nvidia-smi.
    """
    named = environment.get("CUDA_VISIBLE_DEVICES")
    names = None if named is None else _named(named)
    if names == ():
        return ()
    present = _from_nvml()
    if present is None:
        present = _from_nvidia_smi()
    if names is None:
        return tuple(Device(str(index), gpu) for index, gpu in enumerate(present))
    return tuple(Device(name, _look_up(name, present)) for name in names)


def _named(value: str) -> tuple[str, ...]:
    """As CUDA reads it: whatever follows an entry that names nothing is not visible."""
    names: list[str] = []
    for entry in (part.strip() for part in value.split(",")):
        if not entry or entry.startswith("-") or entry == "NoDevFiles":
            break
        names.append(entry)
    return tuple(names)


def _look_up(name: str, present: tuple[Gpu, ...]) -> Gpu:
    if name.isdigit() and int(name) < len(present):
        return present[int(name)]
    return next((gpu for gpu in present if gpu.uuid.startswith(name)), Gpu(visible(name), "", 0))


def _from_nvml() -> tuple[Gpu, ...] | None:
    """The GPUs as NVML lists them; None where it cannot be asked."""
    try:
        import pynvml  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(
            Gpu(
                _string(pynvml.nvmlDeviceGetUUID(handle)),
                _string(pynvml.nvmlDeviceGetName(handle)),
                int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
            )
            for handle in handles
        )
    finally:
        pynvml.nvmlShutdown()


def _string(value: str | bytes) -> str:
    """Old versions of NVML's package give bytes; what a driver says is shown to others."""
    return visible(value.decode(errors="replace") if isinstance(value, bytes) else value)


def _from_nvidia_smi() -> tuple[Gpu, ...]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        answer = subprocess.run(  # noqa: S603 - the program found in PATH, fixed arguments
            [program, *_QUERY], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if answer.returncode != 0:
        return ()
    rows = csv.reader(answer.stdout.splitlines(), skipinitialspace=True)
    return tuple(Gpu(visible(row[0]), visible(row[1]), _mebibytes(row[2])) for row in rows if len(row) == 3)


def _mebibytes(text: str) -> int:
    return int(text) << 20 if text.strip().isdigit() else 0
