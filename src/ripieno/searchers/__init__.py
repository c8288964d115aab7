"""Which config to try next."""

from ripieno.searchers.searcher import Searcher

__all__ = ["Searcher"]
