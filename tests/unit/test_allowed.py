"""A worker runs what its operator allows, whatever name leads there, and tells which option kept it from the rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rungmaster.shared.errors import CannotStart, InvalidInput
from rungmaster.worker.allowed import Allowed
from rungmaster.worker.process.environment import base_environment, scrubbed


def program(path: Path) -> Path:
    """A script that may be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def runs(
    allowed: Allowed, entrypoint: str = "", command: tuple[str, ...] = (), place: Path = Path("/"), path: str = ""
) -> bool:
    try:
        allowed.check(entrypoint, command, place, path)
    except CannotStart as error:
        return "is not allowed on this worker: " not in str(error)
    return True


@pytest.mark.parametrize(
    ("patterns", "entrypoint", "may"),
    [
        (["examples.*"], "examples.digits:train", True),
        (["examples.*"], "examples.digits.deep:train", True),
        (["examples.*"], "examples:train", False),
        (["examples.*"], "examplesx:train", False),
        (["examples.*"], "os:system", False),
        (["examples.*"], "my.examples.digits:train", False),
        (["examples"], "examples:train", True),
        (["examples"], "examples.digits:train", False),
        (["examples.*", "other"], "other:train", True),
        (["examples.digits:train"], "examples.digits:train", True),
        (["examples.digits:train"], "examples.digits:train2", False),
        (["examples.*:train*"], "examples.digits:train2", True),
        # What hangs from a name at the top of a module may be anything that the module imports.
        (["examples.*"], "examples.digits:os.abort", False),
        (["examples.*:*"], "examples.digits:Trainer.fit", True),
        (["examples.*:Trainer.*"], "examples.digits:Trainer.fit", True),
        (["Examples.*"], "examples.digits:train", False),
        (["examples.*"], "examples.0b5e.1.0.1-3-abc.evil:train", False),
        (["*"], "examples..digits:train", False),
        (["*"], ".digits:train", False),
        (["*"], "examples.digits", False),
        (["*"], "examples/digits:train", False),
        (["*"], "examples.digits\n:train", False),
        (["*"], "anything.at.all:train", True),
        (["examples.digit?"], "examples.digits:train", True),
    ],
)
def test_a_function_is_run_where_a_pattern_fits_its_module(patterns: list[str], entrypoint: str, may: bool) -> None:
    assert runs(Allowed(tuple(patterns)), entrypoint) == may


def test_without_any_pattern_everything_is_run_and_with_one_kind_only_that_kind(tmp_path: Path) -> None:
    script = str(program(tmp_path / "train.sh"))
    assert runs(Allowed(), "os:system")
    assert runs(Allowed(), command=("no-such-program",))
    assert not runs(Allowed(functions=("*",)), command=(script,))
    assert not runs(Allowed(programs=("/**",)), "toy:train")
    assert runs(Allowed(functions=("*",), programs=("/**",)), "toy:train")
    assert runs(Allowed(functions=("*",), programs=("/**",)), command=(script,))


def test_a_refusal_names_the_option_and_what_it_has(tmp_path: Path) -> None:
    script = program(tmp_path / "train.sh")
    with pytest.raises(CannotStart) as caught:
        Allowed(("examples.*", "toy")).check("os:abort", (), tmp_path, "")
    assert str(caught.value) == ("entrypoint 'os:abort' is not allowed on this worker: --allow has 'examples.*', 'toy'")
    with pytest.raises(CannotStart) as caught:
        Allowed(("examples.*",)).check("", ("./train.sh",), tmp_path, "")
    assert str(caught.value) == (
        f"command './train.sh' is not allowed on this worker: it is {script.resolve()}, and the worker was started "
        "without --allow-command"
    )


def test_a_program_counts_by_where_its_links_and_dots_lead(tmp_path: Path) -> None:
    good, bad = program(tmp_path / "train" / "fit"), program(tmp_path / "other" / "steal")
    (tmp_path / "train" / "link").symlink_to(bad)
    (tmp_path / "other" / "good").symlink_to(good)
    (tmp_path / "train" / "loop").symlink_to("loop")
    allowed = Allowed(programs=(str(tmp_path / "train" / "*"),))
    for name, may in {
        str(good): True,
        "train/fit": True,
        "./train/fit": True,
        "other/../train/fit": True,
        "other/good": True,
        str(bad): False,
        "train/link": False,
        "train/../other/steal": False,
        "train/loop": False,
        "train/missing": False,
        "train": False,
        "": False,
        "fit\0": False,
    }.items():
        assert runs(allowed, command=(name, "--epochs", "3"), place=tmp_path) == may, name
    assert not runs(allowed, command=())


def test_a_name_is_looked_for_on_path_as_the_start_does(tmp_path: Path) -> None:
    program(tmp_path / "train" / "fit")
    program(tmp_path / "other" / "fit")
    allowed = Allowed(programs=(str(tmp_path / "train" / "*"),))
    train, other = str(tmp_path / "train"), str(tmp_path / "other")
    for path, may in {
        train: True,
        f"{train}:{other}": True,
        f"{other}:{train}": False,
        other: False,
        # What is relative on PATH is so from where the command runs.
        "train:other": True,
        "other:train": False,
        "": False,
    }.items():
        assert runs(allowed, command=("fit",), place=tmp_path, path=path) == may, path
    assert runs(allowed, command=("fit",), place=tmp_path / "train", path=f":{other}")


@pytest.mark.parametrize(
    ("pattern", "may"),
    [
        ("train/*", True),
        ("train/deep/*", False),
        ("./train/fi?", True),
        ("link/*", True),
        ("link/../link/fit", True),
        ("t*/*", True),
        ("*", False),
        ("**", True),
        ("**/fit", True),
        ("train/**", True),
        ("train/fit", True),
        ("train", False),
        ("/train/*", False),
    ],
)
def test_patterns_of_programs_go_folder_by_folder(tmp_path: Path, pattern: str, may: bool) -> None:
    program(tmp_path / "train" / "fit")
    (tmp_path / "link").symlink_to("train")
    assert runs(Allowed(programs=(pattern,)), command=("train/fit",), place=tmp_path) == may


def test_a_star_does_not_reach_into_a_folder_below(tmp_path: Path) -> None:
    program(tmp_path / "train" / "uploads" / "fit")
    for pattern, may in (("train/*", False), ("train/**", True), ("train/*/*", True)):
        assert runs(Allowed(programs=(pattern,)), command=("train/uploads/fit",), place=tmp_path) == may


@pytest.mark.parametrize(
    ("functions", "programs"),
    [(("",), ()), (("examples/digits.py",), ()), (("a:b:c",), ()), ((":train",), ()), (("a:",), ()), ((), ("",))],
)
def test_a_pattern_that_could_fit_nothing_is_refused(functions: tuple[str, ...], programs: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"^--allow"):
        Allowed(functions, programs)


def test_training_gets_nothing_that_is_the_workers_alone_and_nothing_hidden() -> None:
    mine = {
        "RUNGMASTER_TOKEN": "t",
        "RUNGMASTER_TOKEN_FILE": "/t",
        "RUNGMASTER_TLS_KEY": "/k",
        "RUNGMASTER_MASTER": "head:50051",
        "CREDENTIALS_DIRECTORY": "/run/credentials/worker",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "1",
        "LISTEN_FDS": "1",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ACCESS_KEY_ID": "i",
        "PGPASSWORD": "p",
    }
    others = {"HOME": "/root", "PATH": os.environ["PATH"], "LANG": "C", "awsome": "1"}
    assert scrubbed(mine | others, ("AWS_*", "PGPASSWORD")) == others
    base = base_environment(mine | others, own_devices=False, hidden=("AWS_*",))
    assert base.keys() == {*others, "PGPASSWORD", "PYTHONUNBUFFERED"}


def test_where_functions_are_limited_a_spec_names_no_libraries() -> None:
    limited, open_to_all = Allowed(("mine",)), Allowed()
    named: list[tuple[str, ...] | None] = [("torch",), (), None]
    assert [limited.preload(each) for each in named] == [None, (), None]
    assert [open_to_all.preload(each) for each in named] == named
