"""What a notebook asks of an experiment, whether a master or a database answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from ...shared.text.printing import say
from ...shared.wire.model import Experiment, TrialInfo
from ..client import Client

if TYPE_CHECKING:
    from ...plots.history import History
    from ...plots.kinds import Figure
    from ...plots.style import StyleOptions
    from .frames import Frame, Library


class Explored:
    """An experiment's trials and reports as frames, and its figures. What it is read from is `_source`."""

    @property
    def _source(self) -> Client:
        raise AssertionError("a subclass says who is asked")

    @property
    def _number(self) -> int:
        raise AssertionError("a subclass says which experiment it is")

    def trials_frame(self, library: Library | None = None) -> Frame:
        """The trials as a data frame, each hyperparameter in a column `hparams.NAME`.

        By default of pandas, which most notebooks have, and where that is not installed of polars; `library` names one.
        Raises MissingExtra where it is not installed.

            frame = experiment.trials_frame()
            frame.sort_values("best_metric").head()
        """
        from .frames import trials_frame

        return trials_frame(self._source.trials(self._number), library)

    def curves_frame(self, library: Library | None = None) -> Frame:
        """All reports as a data frame, each metric in a column `metrics.NAME`; `library` as in `trials_frame`.

        frame = experiment.curves_frame("polars")
        frame.group_by("trial_id").agg(polars.col("metrics.loss").min())
        """
        from .frames import curves_frame

        return curves_frame(self._source, self._number, library)

    def history(self, *, metric: str | None = None, journal: bool = True) -> History:
        """What figures are made of, as it is now; `metric`: whose curves, by default the searcher's; without `journal`
        it has no events."""
        from ..history import load

        return load(self._source, self._number, metric=metric, journal=journal)

    @property
    def plot(self) -> Plots:
        """The figures: `experiment.plot.curves()`, `.plot.importance()`, … Needs the extra `plots`."""
        return Plots(self)


class Plots:
    """The figures of one experiment; each is drawn from what it is at the call. Raises NothingToShow, MissingExtra."""

    def __init__(self, explored: Explored) -> None:
        self._explored = explored

    def _draw(self, kind: str, metric: str | None, options: Any) -> Figure:
        from ...plots.kinds import KINDS, draw

        return draw(kind, self._explored.history(metric=metric, journal=KINDS[kind].of_journal), **options)

    def curves(self, *, metric: str | None = None, **options: Unpack[StyleOptions]) -> Figure:
        """Learning curves, coloured by what became of each trial, with the rungs marked."""
        return self._draw("curves", metric, options)

    def best(self, **options: Unpack[StyleOptions]) -> Figure:
        """The best result so far, over time and over the resource that was spent."""
        return self._draw("best", None, options)

    def rungs(self, **options: Unpack[StyleOptions]) -> Figure:
        """Brackets and rungs as steps, on which the trials climb."""
        return self._draw("rungs", None, options)

    def parallel(self, *, metric: str | None = None, **options: Unpack[StyleOptions]) -> Figure:
        """A line for each trial through all its hyperparameters to its result."""
        return self._draw("parallel", metric, options)

    def importance(self, *, metric: str | None = None, **options: Unpack[StyleOptions]) -> Figure:
        """How much each hyperparameter matters for the result, with its uncertainty."""
        return self._draw("importance", metric, options)

    def slices(self, *, metric: str | None = None, **options: Unpack[StyleOptions]) -> Figure:
        """A panel for each hyperparameter: its values against the results."""
        return self._draw("slices", metric, options)

    def timeline(self, **options: Unpack[StyleOptions]) -> Figure:
        """Workers and slots: who trained what, who was idle, and what was lost."""
        return self._draw("timeline", None, options)

    def lineage(self, **options: Unpack[StyleOptions]) -> Figure:
        """Population based training: who went on from whose checkpoint."""
        return self._draw("lineage", None, options)

    def schedules(self, **options: Unpack[StyleOptions]) -> Figure:
        """Population based training: with which hyperparameters each model was trained."""
        return self._draw("schedules", None, options)


class ExperimentHandle(Explored):
    """One experiment of a master or a database; what it tells is asked for at each call.

    with Client("head:50051") as client:
        experiment = client.experiment(3)
        experiment                          # in a notebook: state, progress and best, and anew as they change
        experiment.wait()
        print(experiment.best.hparams)
        experiment.plot.curves(theme="dark")
        experiment.trials_frame().to_csv("trials.csv")
    """

    def __init__(self, client: Client, experiment_id: int) -> None:
        self._asked = client
        self.experiment_id = experiment_id

    @property
    def _source(self) -> Client:
        return self._asked

    @property
    def _number(self) -> int:
        return self.experiment_id

    @property
    def now(self) -> Experiment:
        """The experiment as it is now, with spec, brackets, counts and best trial."""
        return self._asked.get(self.experiment_id)

    @property
    def best(self) -> TrialInfo | None:
        """The best trial so far; None before the first result."""
        return self.now.best_trial

    def trials(self) -> list[TrialInfo]:
        """All trials, by id."""
        return list(self._asked.trials(self.experiment_id))

    def wait(self) -> Experiment:
        """Waits until it has ended with all its trials, and returns it; in a notebook the cell shows how it stands."""
        from .live import wait

        return wait(self._asked, self.experiment_id)

    def __repr__(self) -> str:
        from .live import summary

        return summary(self.now)

    def _repr_html_(self) -> str:
        from .live import shown

        return shown(self.now)._repr_html_()

    def _ipython_display_(self) -> None:
        from .live import cell, show_live

        if cell() is None:
            say(repr(self))
        else:
            show_live(self._asked, self.now)
