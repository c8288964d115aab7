"""The tables of a study, and the version of their shape.

The record is a sequence of orders, outcomes and changes, counted by ``seq`` over their tables.
Nothing that happened is ever changed; how far a trial got is read off its outcomes.
"""

from sqlalchemy import Column, Double, ForeignKey, Integer, MetaData, Table, Text

__all__ = [
    "SCHEMA_VERSION",
    "changes",
    "metadata",
    "metrics",
    "orders",
    "outcomes",
    "study",
    "trials",
]

SCHEMA_VERSION = 2

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
