"""`plan`, `simulate` and `drive` as a person or a program uses them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rungmaster.shared.space.space import Space
from rungmaster.shared.spec.spec import parse_spec

CASES = Path(__file__).parents[1] / "conformance"
SEARCHER = {"name": "adaptive_asha", "max_trials": 64, "max_resource": 27, "divisor": 3}
COMMAND = [sys.executable, "-P", "-c", "from rungmaster.client.cli.main import main; main()"]


def rungmaster(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    done = subprocess.run([*COMMAND, *map(str, arguments)], input=stdin, capture_output=True, timeout=60)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    return write(tmp_path / "spec.json", SEARCHER)


def write(path: Path, searcher: dict[str, Any]) -> Path:
    path.write_text(json.dumps({"searcher": searcher}))
    return path


def drive(spec: Path, *lines: str | bytes, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    stdin = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
    done = rungmaster("drive", spec, *options, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_plan_prints_one_document_per_spec_and_line(tmp_path: Path) -> None:
    cases = json.loads((CASES / "brackets.json").read_text())["generated"][:5]
    specs = [write(tmp_path / f"{i}.json", case["searcher"]) for i, case in enumerate(cases)]
    done = rungmaster("plan", *specs, "--json")
    assert done.returncode == 0
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [document["brackets"] for document in documents] == [case["brackets"] for case in cases]


def test_plan_tells_what_the_search_will_cost_and_what_it_assumes(spec: Path) -> None:
    document = json.loads(rungmaster("plan", spec, "--json").stdout)
    assert document["expected_entries"] == [[39, 13, 4, 1], [17, 5, 1], [8, 2]]
    assert document["expected_resource"] == 39 + 13 * 2 + 4 * 6 + 18 + 17 * 3 + 5 * 6 + 18 + 8 * 9 + 2 * 18
    assert document["full_resource"] == 64 * 27
    text = rungmaster("plan", spec).stdout
    assert "expected resource 314 of 1,728 for training every trial in full: 81.8% saved" in text
    assert "top 1/divisor" in text


def test_plan_names_every_problem_of_every_spec_and_prints_no_plan(spec: Path, tmp_path: Path) -> None:
    wrong = write(tmp_path / "wrong.json", SEARCHER | {"max_trials": 0, "divizor": 3})
    done = rungmaster("plan", spec, wrong, tmp_path / "none.json")
    assert (done.returncode, done.stdout) == (2, "")
    problems = done.stderr.splitlines()
    assert len(problems) == 3
    assert any(f"{wrong}: searcher.max_trials: must be at least 1, got 0" in problem for problem in problems)
    assert any("none.json" in problem for problem in problems)


def test_plan_reads_a_whole_spec_too(tmp_path: Path) -> None:
    spec = tmp_path / "whole.yaml"
    spec.write_text(
        "name: a\nentrypoint: m:f\nmetric: {name: error, goal: minimize}\n"
        "hyperparameters: {x: {type: float, low: 0, high: 1}}\n"
        "searcher: {name: asha, max_trials: 9, max_resource: 9, divisor: 3}\n"
    )
    assert json.loads(rungmaster("plan", spec, "--json").stdout)["brackets"] == [
        {"rungs": [1, 3, 9], "max_trials": 9, "max_concurrent_trials": None}
    ]


def test_drive_answers_a_whole_recorded_search(tmp_path: Path) -> None:
    trace = json.loads((CASES / "traces.json").read_text())[11]
    spec = write(tmp_path / "spec.json", trace["searcher"])
    answers = drive(spec, *(json.dumps(event) for event, _ in trace["events"]), options=("--goal", trace["goal"]))
    for answer, (event, expected) in zip(answers, trace["events"], strict=True):
        assert {key: answer.get(key) for key in expected} == expected, event


SPACE = {"x": {"type": "float", "low": 0, "high": 99}}
#: Suggests the number of the last result's trial, and tells its options; after a result of 66 it says rubbish.
TOY = """
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "start":
        options, trial = message["options"], 0
        print(json.dumps({"type": "ready", "protocol": 1, "name": "toy"}), flush=True)
    elif message["type"] == "result":
        trial = -1 if message.get("failed") else message["trial"]
        if message["metric"] == 66:
            print("rubbish", flush=True)
    else:
        told = {"x": trial} if trial >= 0 else {"y": 1}
        note = f"{options} {[each['trial'] for each in message.get('pending', [])]}"
        answer = {"type": "suggestion", "ask": message["id"], "hyperparameters": told, "note": note}
        print(json.dumps(answer), flush=True)
"""


def whole(folder: Path, **fields: Any) -> Path:
    """A whole spec."""
    document = {
        "name": "whole",
        "entrypoint": "training:train",
        "metric": {"name": "loss", "goal": "minimize"},
        "hyperparameters": SPACE,
        "searcher": {"name": "asha", "max_trials": 9, "max_resource": 9, "divisor": 3},
    }
    path = folder / "whole.json"
    path.write_text(json.dumps(document | fields))
    return path


NEXT = '{"op": "next"}'


def test_drive_gives_new_trials_of_a_whole_spec_their_hyperparameters(tmp_path: Path) -> None:
    spec = whole(tmp_path, initial_trials=[{"x": 7}], seed=5)
    first, second, third = drive(spec, NEXT, NEXT, NEXT)
    assert (first["hparams"], first["origin"]) == ({"x": 7.0}, "initial")
    assert (second["hparams"], second["origin"]) == (
        Space(parse_spec(spec.read_text()).hyperparameters).draw(5, 1),
        "random",
    )
    assert second["hparams"] != third["hparams"]
    assert drive(whole(tmp_path, sampler="quasi_random"), NEXT)[0]["origin"] == "quasi_random"


def test_drive_gives_a_child_hyperparameters_made_from_its_parents(tmp_path: Path) -> None:
    searcher = {"name": "pbt", "population": 2, "interval": 1, "max_resource": 9, "truncation": 0.5, "resample": 0}
    reports = [f'{{"op": "report", "trial": {trial}, "resource": 1, "metric": {trial}}}' for trial in (0, 1)]
    good, _, _, _, child, *_ = drive(whole(tmp_path, searcher=searcher), NEXT, NEXT, *reports, NEXT, NEXT)
    made = [good["hparams"]["x"] * factor for factor in (0.8, 1.2)]
    assert (child["parent"], child["origin"]) == (0, "trial 0")
    assert child["hparams"]["x"] in [pytest.approx(min(each, 99)) for each in made]


def test_drive_tells_a_sampler_program_the_reports_and_draws_where_it_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNGMASTER_SAMPLERS", str(tmp_path / "samplers"))
    (tmp_path / "toy.py").write_text(TOY)
    assert rungmaster("sampler", "add", "toy", "--", sys.executable, tmp_path / "toy.py").returncode == 0
    spec = whole(tmp_path, sampler={"name": "external", "program": "toy", "options": {"much": 1}})
    reported = '{"op": "report", "trial": 1, "resource": 1, "metric": 0.5}'
    first, second, _, third, _, refused = drive(spec, NEXT, NEXT, reported, NEXT, '{"op": "fail", "trial": 2}', NEXT)
    assert (first["hparams"], first["origin"], first["note"]) == ({"x": 0.0}, "external toy", "{'much': 1} []")
    assert second["note"] == "{'much': 1} [0]"
    assert third["hparams"] == {"x": 1.0}
    assert refused["origin"] == 'random: its suggestion was refused: "y": there is no such hyperparameter'
    broken = "\n".join([NEXT, '{"op": "report", "trial": 0, "resource": 1, "metric": 66}', NEXT, NEXT, ""])
    done = rungmaster("drive", spec, stdin=broken.encode())
    assert "warning: the sampler is broken: what it said is not understood" in done.stderr
    assert [json.loads(line).get("origin") for line in done.stdout.splitlines()] == [
        "external toy",
        None,
        "random: the sampler is broken",
        "random: the sampler is broken",
    ]


def test_drive_gives_each_answer_before_it_reads_the_next_event(spec: Path) -> None:
    with subprocess.Popen([*COMMAND, "drive", str(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for trial in range(3):
            process.stdin.write(b'{"op": "next"}\n')
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["trial"] == trial
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "not a JSON document"),
        ("next", "not a JSON document"),
        (b'{"op": "\xff"}', "not a JSON document"),
        ("[" * 100_000, "longer than 65536 bytes"),
        ("[" * 60_000, "not a JSON document"),
        ("9" * 60_000, "not a JSON document"),
        ("[]", "an event is a JSON object"),
        ("{}", '"op" must be one of next, report, fail, discard; got nothing'),
        ('{"op": "nexxt"}', 'got "nexxt"'),
        ('{"op": ["next"]}', '"op" must be one of'),
        ('{"op": "report"}', '"trial" must be a whole number of at least 0; got nothing'),
        ('{"op": "report", "trial": true, "resource": 1, "metric": 1}', "got true"),
        ('{"op": "report", "trial": 0, "resource": -1, "metric": 1}', '"resource" must be'),
        ('{"op": "report", "trial": 0, "resource": 1.5, "metric": 1}', '"resource" must be'),
        ('{"op": "report", "trial": 0, "resource": 1, "metric": "good"}', '"metric" must be a number'),
        ('{"op": "report", "trial": 0, "resource": 1, "metric": null}', '"metric" must be a number'),
        ('{"op": "report", "trial": 0, "resource": 1, "metric": 1' + "0" * 400 + "}", "fits a double"),
        ('{"op": "report", "trial": 99, "resource": 1, "metric": 1}', "trial 99 is not running"),
        ('{"op": "fail", "trial": 99}', "trial 99 is not running"),
    ],
    ids=lambda value: str(value)[:40] or "empty",
)
def test_drive_answers_a_wrong_line_with_an_error_and_goes_on(spec: Path, line: str | bytes, complaint: str) -> None:
    first, wrong, after = drive(spec, '{"op": "next"}', line, '{"op": "next"}')
    assert first["trial"] == 0
    assert wrong.keys() == {"error"}
    assert complaint in wrong["error"]
    assert len(wrong["error"]) < 300
    assert after["trial"] == 1


def test_drive_takes_the_goal_from_the_spec_and_from_the_option_before_that(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    searcher = {"name": "asha", "max_trials": 8, "max_resource": 4, "divisor": 2}
    spec.write_text(json.dumps({"searcher": searcher, "metric": {"name": "accuracy", "goal": "maximize"}}))
    lines = ['{"op": "next"}', '{"op": "report", "trial": 0, "resource": 1, "metric": 0.1}', '{"op": "next"}']
    lines.append('{"op": "report", "trial": 1, "resource": 1, "metric": 0.2}')
    assert drive(spec, *lines)[-1]["decision"] == "continue"
    assert drive(spec, *lines, options=("--goal", "minimize"))[-1]["decision"] == "pause"


def test_drive_tells_what_became_of_a_trial_promoted_past_a_rung_it_had_reached(tmp_path: Path) -> None:
    spec = write(tmp_path / "spec.json", {"name": "asha", "max_trials": 8, "max_resource": 4, "divisor": 2})
    *_, answer = drive(
        spec,
        '{"op": "next"}',
        '{"op": "report", "trial": 0, "resource": 3, "metric": 0.1}',
        '{"op": "next"}',
        '{"op": "report", "trial": 1, "resource": 1, "metric": 0.5}',
        '{"op": "next"}',
    )
    assert answer["trial"] == 2
    assert [(d["trial"], d["decision"]) for d in answer["decisions"]] == [(0, "pause")]


def test_drive_discards_a_trial_and_makes_another(spec: Path) -> None:
    answers = drive(spec, '{"op": "next"}', '{"op": "discard", "trial": 0}', '{"op": "next"}')
    assert answers[1] == {"trial": 0, "discarded": True}
    assert answers[2]["trial"] == 1


def test_simulate_prints_the_rungs_and_what_the_search_took(spec: Path) -> None:
    text = rungmaster("simulate", spec, "--workers", "4").stdout
    for word in ("64 trials", "entered", "promoted", "makespan", "utilisation", "of 1,728 for training every trial"):
        assert word in text


def test_simulate_gives_the_same_document_for_the_same_seed(spec: Path) -> None:
    one, other, third = (rungmaster("simulate", spec, "--workers", "4", "--json", "--seed", s).stdout for s in "778")
    assert json.loads(one)["trials"] == 64
    assert one == other != third


@pytest.mark.parametrize(
    "arguments", [("simulate", "--workers", "0"), ("simulate",), ("drive", "--goal", "best"), ("drive", "--loud")]
)
def test_wrong_usage_ends_with_two_and_one_line(spec: Path, arguments: tuple[str, ...]) -> None:
    done = rungmaster(arguments[0], spec, *arguments[1:])
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["plan", "drive", "simulate"])
def test_no_command_here_waits_for_grpc_or_a_database(spec: Path, command: str) -> None:
    more = ("--workers", "2") if command == "simulate" else ()
    program = (
        "import sys\nfrom click.testing import CliRunner\n"
        f"from rungmaster.master.cli.{command} import command\n"
        f"result = CliRunner().invoke(command, {[str(spec), *more]!r}, input='')\n"
        "assert result.exit_code == 0, result.output\n"
        "print(sorted({'grpc', 'sqlalchemy', 'ConfigSpace', 'numpy', 'asyncio'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
