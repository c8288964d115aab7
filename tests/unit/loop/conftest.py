"""Small searches that the tests of the loop run."""

import pytest

from ripieno.executors import InlineExecutor, ObjectiveRunner
from ripieno.ledger import FileArtifacts, SqlLedger
from ripieno.loop import replay, run
from ripieno.records import Objective
from ripieno.schedulers import FullBudget, Hyperband, SuccessiveHalving
from ripieno.searchers import Random
from ripieno.space import Float, Space

SPACE = Space(x=Float(-1.0, 1.0), y=Float(-1.0, 1.0))
LOSS = Objective("loss")


class Search:
    """One study in a folder; each session opens it anew, as another process would."""

    def __init__(self, folder, objective, *, scheduler="hyperband", **options):
        self.folder = folder
        self.objective = objective
        self.artifacts = FileArtifacts(folder / "artifacts")
        self._scheduler = scheduler
        self._options = options
        SqlLedger.create(folder / "study.db", {}).close()

    def scheduler(self):
        searcher = Random(SPACE, seed=5)
        match self._scheduler:
            case "full":
                return FullBudget(searcher, **{"epochs": 3, "trials": 8, **self._options})
            case "halving":
                return SuccessiveHalving(searcher, LOSS, epochs=9, trials=9)
            case _:
                return Hyperband(searcher, LOSS, epochs=9, trials=24)

    def session(self, make=InlineExecutor, **options):
        """Carry the study on and return why it ended."""
        ledger = SqlLedger.open(self.folder / "study.db")
        executor = make(ObjectiveRunner(self.objective, "loss"), self.artifacts)
        try:
            scheduler = self.scheduler()
            replay(scheduler, ledger)
            return run(
                scheduler,
                ledger,
                executor,
                objective=LOSS,
                artifacts=self.artifacts,
                **options,
            )
        finally:
            executor.close()
            ledger.close()

    def read(self, what):
        """Return what a method or property of the ledger gives."""
        ledger = SqlLedger.open(self.folder / "study.db")
        try:
            found = getattr(ledger, what)
            found = found() if callable(found) else found
            return list(found) if what in {"events", "trials", "open_orders"} else found
        finally:
            ledger.close()

    def table(self):
        """All of the trials that does not depend on time, as text (NaN equals NaN)."""
        return [
            repr((t.id, t.config, t.status, t.history, t.first_epoch, t.parent, t.state, t.error))
            for t in self.read("trials")
        ]

    def stored(self):
        """The keys in the folder of artifacts."""
        return {path.stem for path in (self.folder / "artifacts").iterdir()}


def curve(config, report):
    """A learning curve that goes on from what it saved."""
    saved = report.load()
    loss = float(saved["loss"]) if saved else 2.0
    for epoch in range(report.start + 1, report.epochs + 1):
        loss = loss * 0.8 + 0.1 * (config.x**2 + config.y**2) + 0.01 * (config.x * epoch % 1)
        report.save(epoch=epoch, loss=loss)
        report(epoch=epoch, loss=loss, epoch_squared=epoch**2)


@pytest.fixture
def search(tmp_path):
    """Make a study of an objective in an empty folder of its own."""
    made = []

    def make(objective=curve, **options):
        made.append(tmp_path / f"study-{len(made)}")
        made[-1].mkdir()
        return Search(made[-1], objective, **options)

    return make
