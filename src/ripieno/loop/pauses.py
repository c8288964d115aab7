"""How often the drivers of a study look at its board."""

__all__ = ["LONGEST_PAUSE", "LOOK_ROUND_SECONDS", "SHORTEST_PAUSE"]

SHORTEST_PAUSE = 0.004
"""Seconds before the board is looked at again, just after something stood there."""

LONGEST_PAUSE = 0.1
"""The same after a while in which nothing did: a pause is twice the one before it, up to this."""

LOOK_ROUND_SECONDS = 0.5
"""How long a driver goes by what it last saw of who is there and alive."""
