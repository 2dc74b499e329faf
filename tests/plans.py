"""How a database means to answer a query: what EXPLAIN says, on SQLite and on PostgreSQL."""

from typing import Any

from sqlalchemy import SelectBase

from records.database import Database


def plan_of(database: Database, query: SelectBase) -> str:
    """The plan, a line for each step."""
    compiled: Any = query.compile(database.engine, compile_kwargs={"render_postcompile": True})
    parameters: Any = compiled.params
    if database.is_sqlite:
        parameters = tuple(
            value if isinstance(value, bytes) else str(value)
            for value in (parameters[name] for name in compiled.positiontup)
        )
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.reading() as connection:
        plan = connection.exec_driver_sql(f"{explain} {compiled}", parameters)
        return "\n".join(str(row) for row in plan)
