"""Which config to try next."""

from ripieno.searchers.bananas import Bananas
from ripieno.searchers.blocks import Blocks
from ripieno.searchers.choosing import Choice, choose_searcher
from ripieno.searchers.cmaes import CmaEs
from ripieno.searchers.enqueued import Enqueued
from ripieno.searchers.evolution import Evolution
from ripieno.searchers.gaussian_process import GaussianProcess
from ripieno.searchers.grid import Grid
from ripieno.searchers.local_search import LocalSearch
from ripieno.searchers.making import make_searcher, searcher_names
from ripieno.searchers.random import Random
from ripieno.searchers.reinforce import Reinforce
from ripieno.searchers.scalarized import SCALARIZED, Scalarized
from ripieno.searchers.searcher import Searcher, SwappingSearcher
from ripieno.searchers.sobol import Sobol
from ripieno.searchers.steered import Steered
from ripieno.searchers.tree_parzen import TreeParzen

__all__ = [
    "SCALARIZED",
    "Bananas",
    "Blocks",
    "Choice",
    "CmaEs",
    "Enqueued",
    "Evolution",
    "GaussianProcess",
    "Grid",
    "LocalSearch",
    "Random",
    "Reinforce",
    "Scalarized",
    "Searcher",
    "Sobol",
    "Steered",
    "SwappingSearcher",
    "TreeParzen",
    "choose_searcher",
    "make_searcher",
    "searcher_names",
]
