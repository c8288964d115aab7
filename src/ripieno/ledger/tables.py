"""The tables of a study, and the version of their shape.

The record is a sequence of orders, outcomes and changes, counted by ``seq`` over their tables.
Nothing that happened is ever changed; how far a trial got is read off its outcomes.

What processes that share a study say to each other while it runs is no part of the record: who
is there, who leads, and which orders were handed to whom.
"""

from sqlalchemy import Column, Double, ForeignKey, Integer, MetaData, Table, Text

__all__ = [
    "NOBODY_LEADS",
    "RECORD",
    "SCHEMA_VERSION",
    "changes",
    "drivers",
    "lead",
    "leases",
    "metadata",
    "metrics",
    "orders",
    "outcomes",
    "study",
    "trials",
]

SCHEMA_VERSION = 3

metadata = MetaData()

study = Table(
    "study",
    metadata,
    # The one row has a key, so that two processes cannot create one study twice.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("settings", Text, nullable=False),
    Column("clock", Double, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("config", Text, nullable=False),
    Column("parent", Integer),
    Column("first_epoch", Integer, nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("trial", Integer, ForeignKey("trials.id"), nullable=False),
    Column("start", Integer, nullable=False),
    Column("stop", Integer, nullable=False),
    Column("parent", Integer),
    # The state to begin from, as it stood when the order was given: a parent trains on.
    Column("state", Text),
    Column("clock", Double, nullable=False),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("order_seq", Integer, ForeignKey("orders.seq"), nullable=False),
    Column("status", Text, nullable=False),
    Column("reached", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("clock", Double, nullable=False),
    Column("state", Text),
    Column("predictions", Text),
    Column("error", Text),
    Column("notes", Text),
)

changes = Table(
    "changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("clock", Double, nullable=False),
)

metrics = Table(
    "metrics",
    metadata,
    Column("trial", Integer, ForeignKey("trials.id"), primary_key=True, autoincrement=False),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    # JSON as Python writes it: shortest exact floats, and NaN and Infinity as words.
    Column("row", Text, nullable=False),
    sqlite_with_rowid=False,
)

RECORD = (study, trials, orders, outcomes, changes, metrics)
"""The tables that hold what happened, each after those that it refers to."""

lead = Table(
    "lead",
    metadata,
    # One row, made with the tables.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("driver", Text),
    # How often it wrote; the update is what no other transaction can pass by.
    Column("writes", Integer, nullable=False),
    # Set when all are to stop: nobody leads on after this one.
    Column("is_over", Integer, nullable=False),
)

NOBODY_LEADS = {"id": 1, "driver": None, "writes": 0, "is_over": 0}
"""The row of ``lead`` in a new study."""

drivers = Table(
    "drivers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("capacity", Integer, nullable=False),
    Column("beat", Integer, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("trial", Integer, primary_key=True, autoincrement=False),
    # Of this lease alone, so that what an earlier holder of the order gives is told apart.
    Column("ticket", Text, nullable=False),
    Column("driver", Text, nullable=False),
    Column("work", Text, nullable=False),
    Column("outcome", Text),
)
