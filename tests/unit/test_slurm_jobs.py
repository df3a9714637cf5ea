"""What `rungmaster slurm up` submits, and what it refuses before it submits anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.cluster import toy_spec

from rungmaster.client.cli.main import execute
from rungmaster.client.slurm.folder import Jobs, SearchFolder
from rungmaster.client.slurm.jobs import Plan
from rungmaster.shared.errors import InvalidInput, NotFound


@pytest.fixture
def folder(tmp_path: Path) -> SearchFolder:
    return SearchFolder(tmp_path / "search")


def test_the_master_is_one_job_and_the_workers_an_array_that_begins_after_it(folder: SearchFolder) -> None:
    plan = Plan(16, "1", options=("--partition=gpu", "--time", "1:00:00"), master_options=("--partition=cpu",))
    master, workers = plan.master_job(folder), plan.worker_jobs(folder, "12")
    script = next(index for index, part in enumerate(master) if part.endswith("/master.sbatch"))
    assert master[1:script] == ["--partition=gpu", "--time", "1:00:00", "--partition=cpu"]
    assert master[script + 1 :] == [str(folder.path)]
    script = next(index for index, part in enumerate(workers) if part.endswith("/worker.sbatch"))
    expected = ["--array=1-16", "--dependency=after:12", "--gres=gpu:1", "--partition=gpu", "--time", "1:00:00"]
    assert workers[1:script] == expected
    assert workers[script + 1 :] == [str(folder.path), "--exit-when-idle", "300"]


def test_what_was_asked_for_reaches_master_and_workers(folder: SearchFolder) -> None:
    plan = Plan(1, "a100:2", 4, "postgresql://db/search", 60.0, insecure=True)
    assert plan.master_job(folder)[-3:] == ["--db", "postgresql://db/search", "--insecure"]
    workers = plan.worker_jobs(folder, "12")
    assert "--gres=gpu:a100:2" in workers
    assert workers[-4:] == ["--exit-when-idle", "60", "--slots", "4"]


@pytest.mark.parametrize("gpus", ["0", "00", "a100:0"])
def test_without_gpus_none_are_asked_for(folder: SearchFolder, gpus: str) -> None:
    assert not any("--gres" in part for part in Plan(2, gpus).worker_jobs(folder, "12"))


@pytest.mark.parametrize("gpus", ["", "-1", "one", "gpu:a100:1", "1,2", "a100:"])
def test_gpus_that_slurm_would_read_as_something_else_are_refused(gpus: str) -> None:
    with pytest.raises(InvalidInput, match=r"--gpus-per-worker .*must be a number"):
        Plan(1, gpus)


@pytest.mark.parametrize(
    "option", ["--array=1-3", "-a", "--wrap=sleep 1", "--dependency", "--output=x", "--no-requeue"]
)
def test_options_that_would_make_other_jobs_of_ours_are_refused(option: str) -> None:
    with pytest.raises(InvalidInput, match="is not for you to give here"):
        Plan(1, options=(option,))
    with pytest.raises(InvalidInput, match="is not for you to give here"):
        Plan(1, master_options=("--partition=cpu", option))


def test_a_search_goes_on_in_its_folder_and_another_is_refused(folder: SearchFolder) -> None:
    assert folder.prepare("name: one", insecure=False)
    request = (folder.path / "request-id").read_text()
    folder.address.write_text("node-1:7000")
    assert not folder.prepare("name: one", insecure=False, has_master=True)
    assert folder.address.exists()
    assert not folder.prepare("name: one", insecure=False)
    assert (folder.path / "request-id").read_text() == request
    assert not folder.address.exists(), "where the master was last is not where it will be"
    with pytest.raises(InvalidInput, match=r"has another search .*--folder"):
        folder.prepare("name: two", insecure=False)
    assert (folder.path / "spec.yaml").read_text() == "name: one"


def test_a_shell_that_reads_env_finds_the_master(folder: SearchFolder) -> None:
    folder.prepare("name: one", insecure=True)
    address = f"export RUNGMASTER_MASTER=file:{folder.path}/master.address\n"
    assert (folder.path / "env").read_text() == address
    folder.prepare("name: one", insecure=False)
    assert (folder.path / "env").read_text() == (
        f"{address}export RUNGMASTER_TLS_CA={folder.path}/certs/ca.pem\n"
        f"export RUNGMASTER_TOKEN_FILE={folder.path}/admin.token\n"
    )


def test_a_folder_with_certificates_is_not_made_insecure(folder: SearchFolder) -> None:
    (folder.path / "certs").mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"--insecure: .*has certificates already"):
        folder.prepare("name: one", insecure=True)


def test_jobs_are_found_again_the_workers_first(folder: SearchFolder) -> None:
    folder.prepare("name: one", insecure=True)
    assert folder.jobs() is None
    with pytest.raises(NotFound, match="has no jobs"):
        folder.known_jobs()
    folder.record(Jobs("12", ("13",)))
    assert folder.known_jobs().ids == ("13", "12")
    (folder.path / "jobs.json").write_text("[]")
    with pytest.raises(InvalidInput, match="is not what `rungmaster slurm up` writes"):
        folder.jobs()


@pytest.mark.parametrize("place", ["a,b", "50%"])
def test_a_path_that_would_be_read_as_something_else_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(InvalidInput, match="must have no"):
        SearchFolder(tmp_path / place).prepare("name: one", insecure=True)


def test_without_slurm_the_command_says_where_to_run_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(toy_spec(tmp_path / "checkpoints"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert execute(["slurm", "up", "spec.yaml", "--workers", "2"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Error: there is no sbatch on this machine: run this where you submit jobs to Slurm")
    assert not (tmp_path / "rungmaster-slurm").exists()
    SearchFolder(tmp_path / "rungmaster-slurm").prepare("name: one", insecure=True)
    SearchFolder(tmp_path / "rungmaster-slurm").record(Jobs("12", ("13",)))
    assert execute(["slurm", "down"]) == 1
    assert capsys.readouterr().err.startswith("Error: there is no sbatch on this machine")


def test_a_wrong_spec_is_told_with_every_problem_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    searcher = {"name": "adaptive_asha", "max_trials": 0, "max_resource": -1}
    (tmp_path / "spec.yaml").write_text(toy_spec(tmp_path / "checkpoints", searcher=searcher))
    monkeypatch.chdir(tmp_path)
    assert execute(["slurm", "up", "spec.yaml", "--workers", "2"]) == 2
    error = capsys.readouterr().err
    assert "searcher.max_trials: " in error
    assert "searcher.max_resource: " in error
    assert not (tmp_path / "rungmaster-slurm").exists()


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.yaml").write_text(toy_spec(tmp_path / "checkpoints"))
    for program in ("sbatch", "squeue", "scancel"):
        # They are looked for, and not called before the folder is there.
        (tmp_path / program).write_text("#!/bin/sh\nexit 99\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    options = ["--workers", "2", "--insecure", "--folder", str(tmp_path / "spec.yaml" / "search")]
    assert execute(["slurm", "up", str(tmp_path / "spec.yaml"), *options]) == 2
    assert "cannot be written: Not a directory; give one that you may write, on all hosts" in capsys.readouterr().err
