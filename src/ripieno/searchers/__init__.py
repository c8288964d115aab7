"""Which config to try next."""

from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.grid import Grid
from ripieno.searchers.making import make_searcher, searcher_names
from ripieno.searchers.random import Random
from ripieno.searchers.searcher import Searcher
from ripieno.searchers.sobol import Sobol

__all__ = ["Enqueued", "Grid", "Random", "Searcher", "Sobol", "make_searcher", "searcher_names"]
