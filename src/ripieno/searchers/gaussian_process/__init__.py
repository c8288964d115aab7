"""The Gaussian process searcher."""

from ripieno.searchers.gaussian_process.searcher import GaussianProcess

__all__ = ["GaussianProcess"]
