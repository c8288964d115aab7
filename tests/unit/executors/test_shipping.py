import importlib.util
import sys

from ripieno.executors import ObjectiveRunner, ProcessExecutor, send_by_value
from ripieno.ledger import FileArtifacts
from ripieno.records import Config, Order


def test_what_a_file_defines_reaches_a_worker_that_cannot_import_it(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "class Model:\n    def value(self, x):\n        return 2.0 * x\n"
        "def objective(config):\n    return Model().value(config.x)\n"
    )
    spec = importlib.util.spec_from_file_location("loaded_by_hand", tmp_path / "mine.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "loaded_by_hand", module)
    spec.loader.exec_module(module)
    send_by_value(module)
    runner = ObjectiveRunner(module.objective, "loss")
    executor = ProcessExecutor(runner, FileArtifacts(tmp_path / "a"), workers=1)
    executor.submit([Order(0, Config({"x": 1.5}), 0, 1)])
    (outcome,) = executor.collect(60.0)
    executor.close()
    assert outcome.metrics == ({"loss": 3.0},)
