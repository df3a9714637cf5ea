"""`rungmaster`: the one command. What each subcommand needs is imported when it runs."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

import click

from ...shared.errors import InvalidInput, InvalidSpec, RungmasterError
from ...shared.text.printing import say_block, say_lines
from .lazy import LazyGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("rungmaster.client.cli.commands.init:command", "Write a spec and training code to begin from."),
    "run": ("rungmaster.client.cli.commands.run:command", "Run a search on this machine, master and workers included."),
    "submit": ("rungmaster.client.cli.commands.submit:command", "Give a search to a master."),
    "fork": ("rungmaster.client.cli.commands.fork:command", "Print the spec of an experiment, to edit."),
    "watch": ("rungmaster.client.cli.commands.watch:command", "Follow an experiment until it ends."),
    "status": ("rungmaster.client.cli.commands.experiments:status", "Show where an experiment stands."),
    "list": ("rungmaster.client.cli.commands.experiments:list_command", "List experiments, newest first."),
    "best": ("rungmaster.client.cli.commands.best:command", "Show the best trials of an experiment."),
    "trials": ("rungmaster.client.cli.commands.trials:command", "List the trials of an experiment."),
    "trial": ("rungmaster.client.cli.commands.trial:trial", "Show one trial, its assignments and checkpoints."),
    "metrics": ("rungmaster.client.cli.commands.trial:metrics", "List what a trial reported."),
    "export": ("rungmaster.client.cli.commands.export:command", "Write trials or reports as CSV, JSON lines, Parquet."),
    "plot": ("rungmaster.client.cli.commands.plot:command", "Draw a figure of a search into a file."),
    "logs": ("rungmaster.client.cli.commands.logs:command", "Print what the training of a trial printed."),
    "checkpoint": (
        "rungmaster.client.cli.commands.checkpoint:command",
        "Fetch the model of the best trial, or of another.",
    ),
    "pause": ("rungmaster.client.cli.commands.experiments:pause", "Hand out no more work of an experiment for now."),
    "resume": ("rungmaster.client.cli.commands.experiments:resume", "Let a paused experiment go on."),
    "cancel": ("rungmaster.client.cli.commands.experiments:cancel", "End an experiment for good; its records stay."),
    "set": ("rungmaster.client.cli.commands.experiments:set_command", "Change priority, weight or concurrent trials."),
    "delete": (
        "rungmaster.client.cli.commands.experiments:delete",
        "Delete the records of an experiment that has ended.",
    ),
    "extend": ("rungmaster.client.cli.commands.experiments:extend", "Give a search more trials, also after its end."),
    "thin": ("rungmaster.client.cli.commands.experiments:thin", "Drop most reports of an experiment that has ended."),
    "workers": ("rungmaster.client.cli.commands.cluster:workers", "List the workers of a master."),
    "drain": ("rungmaster.client.cli.commands.cluster:drain", "Have a worker save what it trains, and leave."),
    "audit": ("rungmaster.client.cli.commands.audit:command", "List what people did, to experiments and workers."),
    "slurm": ("rungmaster.client.cli.commands.slurm:command", "Run a search as jobs of Slurm."),
    "master": ("rungmaster.master.cli.master:command", "Serve searches from a database."),
    "worker": ("rungmaster.worker.cli:command", "Train trials for a master."),
    "dashboard": ("rungmaster.dashboard.cli:command", "Serve a page that shows a master's searches."),
    "certs": ("rungmaster.master.cli.certs:command", "Make certificates for TLS."),
    "token": ("rungmaster.master.cli.token:command", "Make, list and revoke the tokens of a master's callers."),
    "completion": (
        "rungmaster.client.cli.commands.completion:command",
        "Have a shell complete commands, options and ids.",
    ),
    "report": ("rungmaster.worker.trial.shell:report", "Inside a trial: hand in what was measured."),
    "checkpoint-save": ("rungmaster.worker.trial.shell:checkpoint_save", "Inside a trial: hand over a checkpoint."),
    "hparam": ("rungmaster.worker.trial.shell:hparam", "Inside a trial: print a hyperparameter."),
    "sampler": ("rungmaster.sampler.cli:command", "Install, list, add and try samplers that are programs."),
    "db": ("rungmaster.master.cli.db:command", "Check, back up, restore or compact a database."),
    "plan": ("rungmaster.master.cli.plan:command", "Show the brackets of a spec, and what they cost."),
    "simulate": ("rungmaster.master.cli.simulate:command", "Run a search in virtual time, without training."),
    "drive": ("rungmaster.master.cli.drive:command", "Answer searcher events, JSON lines in and out."),
}


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="rungmaster", message="rungmaster %(version)s")
def cli() -> None:
    """Adaptive ASHA hyperparameter search with a master, workers and a database.

    \b
    On one machine:  rungmaster run experiment.yaml --workers 4
    On a cluster:    rungmaster master --listen 0.0.0.0:50051 --db postgresql://… --tls-cert … --tls-key … --tokens …
                     rungmaster worker --master head:50051 --tls-ca … --token-file …
                     rungmaster submit experiment.yaml --master head:50051 --tls-ca … --token-file …
    """


def main() -> None:
    """Runs the command line with the arguments of this process, and exits as `execute` says."""
    # What gRPC itself notes about every failed handshake says less than our line does.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    for stream in (sys.stdout, sys.stderr):
        # What such a terminal cannot show is escaped, and no reason to fail.
        if isinstance(stream, io.TextIOWrapper) and stream.encoding.lower().replace("-", "") != "utf8":
            stream.reconfigure(errors="backslashreplace")
    sys.exit(execute())


def execute(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code: 0 for success, 2 for wrong usage or input, 1 for failure, 130 for Ctrl-C.

    An error is one line on stderr (for a spec one line a problem), never a traceback, unless RUNGMASTER_DEBUG is set.
    """
    try:
        result = cli.main(
            args=None if arguments is None else list(arguments), prog_name="rungmaster", standalone_mode=False
        )
    except click.exceptions.Abort:
        return 130
    except click.exceptions.NoArgsIsHelpError as error:
        say_block(error.format_message(), err=True)
        return error.exit_code
    except click.UsageError as error:
        return _complain(error, _usage(error), error.exit_code)
    except click.ClickException as error:
        return _complain(error, error.format_message(), error.exit_code)
    except InvalidInput as error:
        return _complain(error, str(error), 2)
    except RungmasterError as error:
        return _complain(error, str(error), 1)
    except UnicodeEncodeError as error:
        return _complain(error, f"{str(error.object)[:100]}: is no text in UTF-8", 2)
    except OSError as error:
        return _complain(error, f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), 1)
    except Exception as error:  # noqa: BLE001  the last resort: a person sees a line, not a traceback
        text = f"internal error, please report it: {type(error).__name__}: {error} (RUNGMASTER_DEBUG=1 shows where)"
        return _complain(error, text, 1)
    return result if isinstance(result, int) else 0


def _usage(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "rungmaster"
    return f"{error.format_message()} (see `{command} --help`)"


def _complain(error: Exception, text: str, exit_code: int) -> int:
    if os.environ.get("RUNGMASTER_DEBUG"):
        raise error
    lines = map(str, error.problems) if isinstance(error, InvalidSpec) else (text or type(error).__name__).split("\n")
    say_lines((f"Error: {line}" for line in lines), err=True)
    return exit_code


if __name__ == "__main__":
    main()
