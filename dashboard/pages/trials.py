"""The table of trials of one experiment, as a part of its page and as CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ...client.tables.cells import csv_rows
from ...client.tables.conditions import parse_conditions
from ...client.tables.trial_columns import TrialColumn, columns_of
from ...shared.errors import InvalidInput
from ...shared.wire.model import TrialState
from ..dashboard import looking, of, whole_number
from ..feeds.picture import Picture
from ..security.sessions import SignIn
from ..wording.trial_table import (
    PAGE_SIZES,
    TableQuery,
    page_of,
    select,
    shown_columns,
)


def query_of(request: Request, all_columns: Mapping[str, TrialColumn]) -> tuple[TableQuery, str]:
    """What the query of an address asks for, and what is wrong with its filter; empty where nothing is."""
    given, problem = request.query_params, ""
    try:
        conditions = parse_conditions(given.get("where", ""), all_columns)
    except InvalidInput as error:
        conditions, problem = (), str(error)
    known, page = set(TrialState), whole_number(given.get("page", ""))
    size = whole_number(given.get("size", ""))
    wanted = PAGE_SIZES[1] if size is None else size
    return TableQuery(
        states=frozenset(TrialState(state) for state in given.getlist("state") if state in known),
        conditions=conditions,
        sort=given.get("sort", ""),
        descending=given.get("order") == "down",
        columns=tuple(given.getlist("column")),
        page=1 if page is None else page,
        size=max((each for each in PAGE_SIZES if each <= wanted), default=PAGE_SIZES[0]),
    ), problem


def part(request: Request, session: SignIn, picture: Picture) -> dict[str, Any]:  # noqa: ARG001
    """What the table needs."""
    columns = columns_of(picture.experiment, picture.trials.values())
    query, problem = query_of(request, columns)
    selected = select(query, columns, picture.trials.values(), picture.experiment.goal)
    links = _Links(request)
    shown = shown_columns(query, columns)
    return {
        "query": query,
        "problem": problem,
        "where": request.query_params.get("where", ""),
        "columns": columns,
        "shown": shown,
        "table": page_of(query, selected),
        "sizes": PAGE_SIZES,
        "states": [(state, picture.experiment.trial_counts.get(state, 0)) for state in TrialState],
        "link": links.to,
        "sorted_by": query.sort if query.sort in columns else "best",
        "sort_link": lambda column: links.sorted_by(column, query, picture.experiment.goal),
        "csv_link": links.csv(),
    }


class _Links:
    """Links to other states of the same table: each keeps the rest of the query as it is."""

    def __init__(self, request: Request) -> None:
        self._path = request.url.path
        self._given = [(name, value) for name, value in request.query_params.multi_items() if value]

    def to(self, **changes: Any) -> str:
        """The same table but for these."""
        kept = [(name, value) for name, value in self._given if name not in changes]
        added = [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
        return f"{self._path}?{urlencode([*kept, *added])}"

    def sorted_by(self, column: TrialColumn, query: TableQuery, goal: str) -> str:
        """The first page sorted by a column, the other way round where it is sorted by that already."""
        by_default = not query.sort and column.name == "best"
        down = not query.descending if query.sort == column.name else by_default and goal == "minimize"
        return self.to(sort=column.name, order="down" if down else None, page=None)

    def csv(self) -> str:
        """All rows of the table as CSV."""
        kept = [(name, value) for name, value in self._given if name not in ("tab", "page", "size")]
        return f"{self._path}/trials.csv?{urlencode(kept)}"


@looking
def as_csv(request: Request, session: SignIn) -> Response:
    """All rows that the query selects; of no columns that it names, all columns."""
    experiment_id = request.path_params["experiment_id"]
    picture = of(request).feeds.feed(experiment_id, session).picture
    columns = columns_of(picture.experiment, picture.trials.values())
    query, problem = query_of(request, columns)
    if problem:
        raise InvalidInput(problem)
    shown = shown_columns(query, columns) if query.columns else list(columns.values())
    selected = select(query, columns, picture.trials.values(), picture.experiment.goal)
    headers: Mapping[str, str] = {
        "content-disposition": f'attachment; filename="experiment-{experiment_id}-trials.csv"'
    }
    rows = ([column.value(trial) for column in shown] for trial in selected)
    lines = csv_rows([column.name for column in shown], rows)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)
