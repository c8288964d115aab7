"""Which config to try next."""

from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.grid import Grid
from ripieno.searchers.making import make_searcher
from ripieno.searchers.random import Random
from ripieno.searchers.scalarized import SCALARIZED, Scalarized
from ripieno.searchers.searcher import Searcher
from ripieno.searchers.sobol import Sobol
from ripieno.searchers.steered import Steered

__all__ = [
    "SCALARIZED",
    "Enqueued",
    "Grid",
    "Random",
    "Scalarized",
    "Searcher",
    "Sobol",
    "Steered",
    "make_searcher",
]
