import resource

import pytest

from ripieno.population.machine import available_bytes, cache_bytes, cores, describe, workers

MIB = 2**20


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A system of 8 GiB with 4 of them free, and no control group."""
    monkeypatch.delenv("RIPIENO_WORKERS", raising=False)
    write(tmp_path / "proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n")
    return tmp_path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def near(mib):
    """What the C library holds free comes on top."""
    return pytest.approx(mib * MIB, abs=200 * MIB)


def test_what_the_system_has_free_is_shared_by_the_workers(root, monkeypatch):
    assert available_bytes(root=root) == near(4096)
    monkeypatch.setenv("RIPIENO_WORKERS", "4")
    assert workers() == 4
    assert available_bytes(root=root) == near(1024)


@pytest.mark.parametrize("text", ["", "many", "0", "-1"])
def test_a_number_of_workers_that_is_none_means_one(monkeypatch, text):
    monkeypatch.setenv("RIPIENO_WORKERS", text)
    assert workers() == 1


def test_a_control_group_of_version_2_limits_all_below_it(root):
    write(root / "proc/self/cgroup", "0::/a/b\n")
    write(root / "sys/fs/cgroup/a/b/memory.max", "max\n")
    write(root / "sys/fs/cgroup/a/b/memory.current", "100\n")
    write(root / "sys/fs/cgroup/a/memory.max", f"{2048 * MIB}\n")
    write(root / "sys/fs/cgroup/a/memory.current", f"{1024 * MIB}\n")
    write(root / "sys/fs/cgroup/a/memory.stat", f"anon 5\ninactive_file {512 * MIB}\n")
    assert available_bytes(root=root) == near(1536)


def test_a_control_group_of_version_1_limits_too(root):
    write(root / "proc/self/cgroup", "9:cpu:/\n4:memory:/job\n0::/\n")
    write(root / "sys/fs/cgroup/memory/job/memory.limit_in_bytes", f"{1024 * MIB}\n")
    write(root / "sys/fs/cgroup/memory/job/memory.usage_in_bytes", f"{256 * MIB}\n")
    write(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")
    write(root / "sys/fs/cgroup/memory/memory.usage_in_bytes", f"{256 * MIB}\n")
    assert available_bytes(root=root) == near(768)


def test_a_limit_of_the_process_is_its_own(root, monkeypatch):
    write(root / "proc/self/status", f"VmSize: {900 * 1024} kB\nVmData: {500 * 1024} kB\n")
    limits = {resource.RLIMIT_AS: resource.RLIM_INFINITY, resource.RLIMIT_DATA: 1500 * MIB}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], limits[kind]))
    monkeypatch.setenv("RIPIENO_WORKERS", "2")
    assert available_bytes(root=root) == near(1000)


def test_a_system_that_tells_nothing_has_no_limit(tmp_path):
    assert available_bytes(root=tmp_path) is None
    assert cache_bytes(root=tmp_path) is None


@pytest.mark.parametrize(("count", "share"), [("1", 32), ("2", 16), ("3", 32 / 3), ("64", 8)])
def test_the_last_level_cache_is_shared_by_the_workers_on_its_cores(
    tmp_path, monkeypatch, count, share
):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {5, 6})
    monkeypatch.setenv("RIPIENO_WORKERS", count)
    caches = {0: (1, "32K", "5"), 2: (2, "1024K", "5"), 3: (3, "32M", "4-6,9")}
    for index, (level, size, shared) in caches.items():
        folder = tmp_path / f"cpu5/cache/index{index}"
        write(folder / "level", f"{level}\n")
        write(folder / "size", f"{size}\n")
        write(folder / "shared_cpu_list", f"{shared}\n")
    write(tmp_path / "cpu5/cache/index4/level", "broken")
    assert cache_bytes(root=tmp_path) == int(share * MIB)


def test_the_machine_is_named_by_what_measurements_depend_on():
    import torch

    assert f"{cores()} cores, torch {torch.__version__}" in describe()
