"""From a config to a module: the user's own constructor under the trial's own seed."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ripieno.errors import RecipeError
from ripieno.recipes.draws import Purpose, fold
from ripieno.recipes.initialization import initialize
from ripieno.recipes.knobs import read_knobs
from ripieno.recipes.recipe import Recipe
from ripieno.space import Config

__all__ = ["arrange", "build_model"]


def build_model(
    recipe: Recipe, config: Config, seed: int, *, example: Tensor | None = None
) -> nn.Module:
    """Return the untrained module of a trial, in the recipe's dtype.

    torch's generator is seeded while the constructor runs and is put back afterwards, so
    the initialisation is the same in any process; random numbers that the constructor takes
    from elsewhere (NumPy, ``random``) are not covered. The knob ``init`` then draws the weights
    of known layers anew, from a generator of its own.

    Args:
        recipe: Whose model factory is called.
        config: What it is called with.
        seed: The trial's seed.
        example: A few rows of features; lazy modules learn their shapes from it.

    Raises:
        RecipeError: The factory returns something that is no module.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(fold(seed, Purpose.INITIALIZATION))
        module = recipe.model(config)
        if not isinstance(module, nn.Module):
            raise RecipeError(
                f"the model factory returned a {type(module).__name__}, not an nn.Module.",
                where=f"Recipe(name={recipe.name!r}).model({config!r})",
                fix="return the module that is to be trained.",
            )
        module = module.to(getattr(torch, recipe.dtype))
        if example is not None and any(is_lazy(p) for p in module.parameters()):
            module.eval()
            with torch.no_grad():
                module(example)
    knobs = read_knobs(config, optimizers=recipe.optimizers)
    generator = torch.Generator().manual_seed(fold(seed, Purpose.INITIALIZATION, 1))
    initialize(
        module,
        knobs.init,
        gain=knobs.init_gain,
        activation=config.get("activation"),
        generator=generator,
    )
    return module.train()


def arrange(
    recipe: Recipe, module: nn.Module, device: torch.device, *, example: Tensor
) -> nn.Module:
    """Move a module to a device, in place, and lay its filters out as its recipe says.

    Convolutions then write their maps in the same layout, whatever that of their input is. It
    is one for the caches of a CPU: what GPUs compute in float32 they compute channels first.

    Args:
        recipe: What the module was built by.
        module: The module, on the CPU.
        device: Where it is wanted.
        example: A few rows of features, on the CPU.
    """
    if device.type != "cpu":
        return module.to(device)
    wanted = recipe.channels_last
    if wanted is None:
        wanted = _runs_channels_last(module, example.to(getattr(torch, recipe.dtype)))
    if wanted:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _runs_channels_last(module: nn.Module, example: Tensor) -> bool:
    """Say whether a module has convolutions of images, and takes their maps in that layout."""
    if not any(isinstance(part, nn.Conv2d) for part in module.modules()):
        return False
    try:
        # A copy is tried: a forward may change what a module holds.
        tried = copy.deepcopy(module).eval()
        tried.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            tried(example)
    except Exception:  # noqa: BLE001 - where it runs in no layout, its first step will say so
        return False
    return True
