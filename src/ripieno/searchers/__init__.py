"""Which config to try next."""

from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.gaussian_process import GaussianProcess
from ripieno.searchers.grid import Grid
from ripieno.searchers.making import make_searcher
from ripieno.searchers.random import Random
from ripieno.searchers.searcher import Searcher
from ripieno.searchers.sobol import Sobol

__all__ = ["Enqueued", "GaussianProcess", "Grid", "Random", "Searcher", "Sobol", "make_searcher"]
