"""A real study under random kills, freezes, full disks and crashes of its database.

The long run is by hand: ``RIPIENO_CHAOS_FAULTS=200 pytest tests/chaos``.
"""

import os
import subprocess
import sys
import uuid

import pytest

from chaos.harness import DRIVER, Chaos, table

FAULTS = int(os.environ.get("RIPIENO_CHAOS_FAULTS", "8"))
SECONDS = 150 + 15 * FAULTS


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm") / "study"
    environment = {**os.environ, "RIPIENO_CHAOS_LOG": os.devnull}
    command = [sys.executable, DRIVER, folder, "", "2", "0.0"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return table(folder)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_study_survives_everything(database, undisturbed, request, tmp_path):
    server = request.getfixturevalue("own_postgres") if database == "postgres" else None
    storage = server.url(f"chaos_{uuid.uuid4().hex}") if server else ""
    chaos = Chaos(
        tmp_path / "study",
        seed=int(os.environ.get("RIPIENO_CHAOS_SEED", "1")),
        storage=storage,
        server=server,
        pause=0.05 if FAULTS < 50 else 0.5,
    )
    chaos.run(FAULTS, seconds=SECONDS)
    sys.stdout.write(f"{dict(chaos.faults)}\n")
    chaos.check(undisturbed)
