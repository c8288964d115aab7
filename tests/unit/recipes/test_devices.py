"""The names of devices, and what is said of one that is not there. The numbers: tests/numeric."""

import copy
import os

import pytest
import torch

from ripieno.errors import RecipeError
from ripieno.recipes import Device, check_device, free_bytes, gpus_for, seed_generators, synchronize
from ripieno.recipes.devices import in_float32
from ripieno.recipes.ranks import Ranks

CPU = torch.device("cpu")
no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")


@pytest.fixture
def gpus(monkeypatch):
    """Have torch say that there are two GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", None, 1])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(RecipeError, match="there is no device") as error:
        check_device(name)
    assert "auto, cpu, cuda" in error.value.fix


@no_gpu
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused_with_a_remedy(name):
    for refused in (lambda: check_device(name), lambda: Device(name).found):
        with pytest.raises(RecipeError, match=f"the device '{name}' cannot be used") as error:
            refused()
        assert "--device cpu" in error.value.fix
        assert torch.__version__ in error.value.where


def test_a_cluster_may_have_what_this_machine_lacks():
    check_device("cuda", executor="ray")
    check_device("cuda", devices=2, executor="ray")
    with pytest.raises(RecipeError, match="gives GPUs away by itself"):
        check_device("cuda:1", executor="ray")


def test_one_gpu_is_not_several(gpus):
    check_device("cuda", devices=2)
    check_device("cuda:1")
    with pytest.raises(RecipeError, match="2 devices are asked for"):
        check_device("cuda:1", devices=2)
    with pytest.raises(RecipeError, match="finds 2 GPUs, counted from 0"):
        check_device("cuda:2")


def test_gpus_are_counted_where_models_are_trained_on_them(gpus):
    counts = {name: gpus_for(name) for name in ("auto", "cuda", "cuda:1", "cpu", "mps")}
    assert counts == {"auto": 2, "cuda": 2, "cuda:1": 1, "cpu": 0, "mps": 1}


@no_gpu
def test_auto_is_the_cpu_where_there_is_no_gpu():
    assert gpus_for("auto") == 0
    assert not Device("auto").means_cuda
    assert Device("auto").found == CPU


def test_auto_means_a_gpu_where_torch_finds_one(gpus):
    assert [Device(name).means_cuda for name in ("auto", "cuda:1", "cpu")] == [True, True, False]


def test_the_cpu_is_said_to_be_nothing_else_and_needs_nothing():
    device = Device()
    assert (device.words, device.is_cpu, device.has_doubles, device.near) == (None, True, True, CPU)
    made = torch.ones(3)
    assert device.hold(made.numpy(), "x", lambda: made) is made
    assert free_bytes(CPU) is None
    synchronize(CPU)
    assert device.of_rank(1).found == CPU


def test_a_device_is_copied_and_sent_by_its_name():
    device = Device("auto")
    assert device.found is not None
    for other in (copy.copy(device), copy.deepcopy(device)):
        assert repr(other) == "Device('auto')"


def test_seeding_gives_the_same_numbers_again():
    with torch.random.fork_rng(devices=[]):
        seed_generators(3, CPU)
        first = torch.rand(4)
        seed_generators(3, CPU)
        assert torch.equal(torch.rand(4), first)


def test_convolutions_are_as_exact_as_matrix_products():
    conv, matmul = torch.backends.cudnn.conv, torch.backends.cuda.matmul
    before = conv.fp32_precision
    with in_float32():
        assert conv.fp32_precision == "ieee"
        assert torch.backends.cudnn.rnn.fp32_precision == "ieee"
    assert conv.fp32_precision == before
    allowed = matmul.fp32_precision
    try:
        matmul.fp32_precision = "tf32"  # the user's own choice
        with in_float32():
            assert conv.fp32_precision == before
    finally:
        matmul.fp32_precision = allowed


def test_ranks_meet_by_nccl_where_each_has_a_gpu_of_its_own(monkeypatch, tmp_path, gpus):
    asked = []
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(
        torch.distributed, "init_process_group", lambda backend, **_: asked.append(backend)
    )
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        monkeypatch.setenv(name, "any")
    for number, (size, device) in enumerate(((2, "cuda:0"), (3, "cuda:0"), (2, "cpu"))):
        Ranks(0, size, str(tmp_path / str(number))).join(torch.device(device))
    assert asked == ["cpu:gloo,cuda:nccl", "gloo", "gloo"]
    assert os.environ["NCCL_SOCKET_IFNAME"].startswith("lo")
