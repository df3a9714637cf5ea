"""How SQLite goes about the statements of a program, as it says itself."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event


def sqlite_steps(*engines: Engine) -> list[str]:
    """The steps of the plan of every statement that these engines execute from now on, as they come."""
    steps: list[str] = []

    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            steps.extend(row[3] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", explain)
    return steps
