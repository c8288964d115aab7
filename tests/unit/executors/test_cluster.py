import socket
import time

import pytest

from ripieno.errors import WorkerError
from ripieno.executors.cluster import how_it_ended, knock, own_path, require_room, rooms

NODES = [{"Resources": {"CPU": 3.0, "GPU": 1.0}}, {"Resources": {"CPU": 0.3}}, {"Resources": {}}]


@pytest.mark.parametrize("address", ["somewhere", "http://host:80", "host:port", "[::1", "host:0"])
def test_an_address_that_is_none_is_told(address):
    with pytest.raises(WorkerError, match="is no address of a Ray cluster") as caught:
        knock(address)
    assert "host:6379, ray://host:10001, auto or local" in caught.value.fix


def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(WorkerError, match="cannot be reached: Connection refused"):
        knock(f"ray://{address}")
    monkeypatch.setenv("RAY_ADDRESS", address)
    for unsaid in (None, "auto"):
        with pytest.raises(WorkerError, match=f"'{address}' cannot be reached"):
            knock(unsaid)
    knock("local")
    assert time.monotonic() - began < 4.0


def test_an_address_where_somebody_listens_is_left_to_ray():
    with socket.create_server(("127.0.0.1", 0)) as server:
        knock(f"127.0.0.1:{server.getsockname()[1]}")


def test_rooms_are_what_the_scarcest_thing_allows():
    assert rooms(NODES, {"CPU": 1.0}) == [3, 0, 0]
    assert rooms(NODES, {"CPU": 0.1}) == [30, 3, 0]
    assert rooms(NODES, {"CPU": 1.0, "GPU": 0.5}) == [2, 0, 0]
    require_room(1, {"CPU": 1.0})
    with pytest.raises(WorkerError, match="no machine of the cluster has room for an actor with"):
        require_room(0, {"CPU": 64.0, "unicorn": 1.0})


def test_what_is_installed_is_not_of_the_users_own_path(monkeypatch, tmp_path):
    installed = pytest.__file__.rpartition("/pytest/")[0]
    monkeypatch.setattr("sys.path", ["", str(tmp_path), installed])
    monkeypatch.chdir(tmp_path)
    assert own_path() == [str(tmp_path), str(tmp_path)]


def test_the_end_of_an_actor_is_said_in_short():
    told = "The actor died.\n\tWorker exit type: NODE_OUT_OF_MEMORY Worker exit detail: much."
    assert how_it_ended(RuntimeError(told)) == "exit type NODE_OUT_OF_MEMORY"
    assert how_it_ended(RuntimeError("many\nModuleNotFoundError: x.\n")) == "ModuleNotFoundError: x"
