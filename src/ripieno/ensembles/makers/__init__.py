"""How ensembles are trained: every maker is plain numbers and one method."""

from ripieno.ensembles.makers.averaging import average, refresh_statistics
from ripieno.ensembles.makers.bagging import Bagging, OutOfBag
from ripieno.ensembles.makers.deep_ensemble import DeepEnsemble
from ripieno.ensembles.makers.maker import Maker
from ripieno.ensembles.makers.snapshot import Snapshot
from ripieno.ensembles.makers.soup import Kitchen, Soup
from ripieno.ensembles.makers.subspaces import in_subspaces
from ripieno.ensembles.makers.swa import Swa

__all__ = [
    "Bagging",
    "DeepEnsemble",
    "Kitchen",
    "Maker",
    "OutOfBag",
    "Snapshot",
    "Soup",
    "Swa",
    "average",
    "in_subspaces",
    "refresh_statistics",
]
