"""What is said of a device that cannot be used, from the command line and from Python."""

import numpy as np
import pytest
import torch

import ripieno as rp
from ripieno.errors import RecipeError

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")


@pytest.fixture(scope="module")
def arrays():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 4)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("tpu", "there is no device 'tpu'."),
        pytest.param("cuda", "the device 'cuda' cannot be used: ", marks=no_gpu),
    ],
)
@pytest.mark.parametrize("command", ["tune", "nas"])
def test_a_device_that_cannot_be_used_ends_the_command_before_anything_is_done(
    command, name, problem, ripieno, tmp_path
):
    out = tmp_path / "study"
    message = ripieno.refused(command, "digits", "--device", name, "--out", out)
    assert f"RecipeError: {problem}" in message
    assert not out.exists()


@no_gpu
def test_a_study_that_was_begun_on_a_gpu_says_how_to_go_on_without(arrays, tmp_path):
    options = {"epochs": 1, "scheduler": "full", "trials": 1, "progress": False, "workers": 1}
    study = rp.tune("mlp", arrays, device="cpu", out=tmp_path / "s", **options)
    with pytest.raises(RecipeError, match="the device 'cuda' cannot be used") as error:
        study.run(trials=2, device="cuda", workers=1)
    assert "--device cpu" in error.value.fix
