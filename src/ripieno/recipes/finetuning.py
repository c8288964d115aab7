"""Fine-tuning: a head, and perhaps some blocks, on a backbone with loaded weights."""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.backbone import FineTuned, Frozen
from ripieno.recipes.data import Data
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.sizing import Sizing
from ripieno.space import Categorical, Config, Domain, Float, Int, Space

__all__ = ["FineTune", "fine_tune"]

Head = Callable[[Config, int], nn.Module]
"""A function of a config and the number of features to a module that gives outputs."""


class FineTune:
    """A model factory: a backbone with loaded weights, and a new head.

    The hyperparameter ``unfrozen`` says how many of the backbone's last blocks are trained,
    and ``dropout`` how much the default head drops. The knobs ``backbone_lr`` and
    ``layer_decay`` scale the learning rate of what is trained in the backbone. Frozen blocks
    stay in evaluation mode. Where nothing is unfrozen, and for an ``nn.Sequential`` always,
    the frozen part is shared by all models and its features are computed once.

    Args:
        backbone: Gives features ``(batch, features)``, or maps ``(batch, channels, ...)``,
            which the default head averages. Copied, and left unchanged.
        outputs: Numbers that the head gives for an example.
        shape: Shape of one example.
        weights: A file with the backbone's ``state_dict``: safetensors, or what
            ``torch.load(…, weights_only=True)`` reads. None keeps the weights as they are.
        unfrozen: Blocks that are trained where a config does not say.
        blocks: Names of the backbone's blocks, the first one first; its children that have
            parameters where absent. What lies in no block belongs to the first one.
        head: Makes the head; dropout and a linear layer where absent.

    Raises:
        RecipeError: The weights cannot be read or do not fit, there is no such block, or the
            backbone cannot be run on an example.
    """

    def __init__(
        self,
        backbone: nn.Module,
        outputs: int,
        shape: Sequence[int],
        *,
        weights: str | Path | None = None,
        unfrozen: int = 0,
        blocks: Sequence[str] | None = None,
        head: Head | None = None,
    ) -> None:
        self.outputs, self.unfrozen = outputs, unfrozen
        self._backbone = copy.deepcopy(backbone)
        if weights is not None:
            _load(self._backbone, Path(weights))
        self.blocks = tuple(blocks) if blocks is not None else _children(self._backbone)
        _check_blocks(self._backbone, self.blocks)
        self._head = head
        self._features = _feature_shape(self._backbone, tuple(shape))
        self._frozen: dict[int, Frozen] = {}

    def __call__(self, config: Config) -> FineTuned:
        """Return the untrained model of a config.

        Raises:
            RecipeError: More blocks are to be trained than there are.
        """
        unfrozen = config.get("unfrozen", self.unfrozen)
        if not isinstance(unfrozen, int) or not 0 <= unfrozen <= len(self.blocks):
            raise RecipeError(
                f"unfrozen = {unfrozen!r} is no number of blocks to train.",
                where=f"a backbone of {len(self.blocks)} blocks",
                fix=f"give a whole number from 0 to {len(self.blocks)}.",
            )
        frozen, body, trained = self._divide(self.blocks[len(self.blocks) - unfrozen :])
        head = self._make_head(config)
        return FineTuned(frozen, body, head, trained=trained, depths=self._depths(body))

    def _divide(
        self, blocks: tuple[str, ...]
    ) -> tuple[Frozen | None, nn.Module, tuple[str, ...] | None]:
        """Divide the backbone where some blocks are trained.

        Returns:
            What stands in front and is shared, the rest, and what is trained in the rest
            (None for everything).
        """
        if not blocks:
            return self._shared(0, self._backbone), nn.Sequential(), None
        if blocks == self.blocks:
            body = copy.deepcopy(self._backbone).requires_grad_(requires_grad=True)
            return None, body, None
        if isinstance(self._backbone, nn.Sequential) and "." not in blocks[0]:
            front, body = _split(self._backbone, blocks[0])
            frozen, trained = self._shared(len(blocks), front), blocks + _plain(body)
        else:
            body, frozen, trained = copy.deepcopy(self._backbone), None, blocks
        body.requires_grad_(requires_grad=False)
        for block in trained:
            body.get_submodule(block).requires_grad_(requires_grad=True)
        return frozen, body, trained

    def _shared(self, unfrozen: int, module: nn.Module) -> Frozen:
        # One object, so that all models share it and its features.
        if unfrozen not in self._frozen:
            self._frozen[unfrozen] = Frozen(copy.deepcopy(module))
        return self._frozen[unfrozen]

    def _depths(self, body: nn.Module) -> Mapping[str, int]:
        """Return each parameter's distance from the head; outside of all blocks the largest."""
        found = {}
        for name, _ in body.named_parameters():
            inside = [i for i, block in enumerate(self.blocks) if name.startswith(f"{block}.")]
            found[name] = len(self.blocks) - max(inside, default=0)
        return found

    def _make_head(self, config: Config) -> nn.Module:
        features = self._features[0]
        if self._head is not None:
            return self._head(config, features)
        pool: list[nn.Module] = []
        if len(self._features) > 1:
            pool = [nn.Flatten(2), nn.AdaptiveAvgPool1d(1), nn.Flatten()]
        rate: Any = config.get("dropout", 0.0)
        return nn.Sequential(*pool, nn.Dropout(rate), nn.Linear(features, self.outputs))


def fine_tune(
    data: Data,
    backbone: nn.Module,
    *,
    weights: str | Path | None = None,
    blocks: Sequence[str] | None = None,
    head: Head | None = None,
) -> Recipe:
    """Return the recipe of a fine-tuned backbone, with a space for it.

    Its default trains the head alone, on features; a search also tries to train blocks.

    Args:
        data: What is learnt.
        backbone: See :class:`FineTune`, as are the others.
        weights: A file with the backbone's weights.
        blocks: Names of its blocks.
        head: Makes the head.

    Raises:
        RecipeError: See :class:`FineTune`.
    """
    factory = FineTune(
        backbone, data.outputs, data.shape, weights=weights, blocks=blocks, head=head
    )
    sizing = Sizing.of(len(data.train))
    most = len(factory.blocks)
    some = tuple(range(1, most + 1))
    domains: dict[str, Domain] = {
        "unfrozen": Int(0, most, default=0),
        "dropout": Float(0.0, 0.5, default=0.1),
        "optimizer": Categorical("adamw", "sgd"),
        "lr": Float(1e-4, 0.1, log=True, default=2e-3),
        "momentum": Float(0.8, 0.99, default=0.9).when(optimizer="sgd"),
        "backbone_lr": Float(0.01, 1.0, log=True, default=0.1).when(unfrozen=some),
        "layer_decay": Float(0.5, 1.0, default=0.8).when(unfrozen=some),
        "weight_decay": Float(1e-6, 1e-1, log=True, default=1e-3),
        "batch_size": Categorical(*sizing.batch_sizes),
        "schedule": Categorical("cosine", "constant"),
    }
    return Recipe(
        factory,
        space=Space(**domains),
        epochs=sizing.epochs,
        epoch_rows=sizing.epoch_rows,
        name="fine_tune",
    )


def _split(backbone: nn.Sequential, first: str) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the modules before one and those from it on; the latter are copied."""
    parts = dict(backbone.named_children())
    at = list(parts).index(first)
    front, back = nn.Sequential(), nn.Sequential()
    for index, (name, part) in enumerate(parts.items()):
        (front if index < at else back).add_module(name, part)
    return front, copy.deepcopy(back)


def _plain(body: nn.Module) -> tuple[str, ...]:
    """Return the children without parameters: activations, pooling, dropout."""
    named = body.named_children()
    return tuple(name for name, part in named if next(part.parameters(), None) is None)


def _children(backbone: nn.Module) -> tuple[str, ...]:
    named = backbone.named_children()
    return tuple(name for name, part in named if next(part.parameters(), None) is not None)


def _check_blocks(backbone: nn.Module, blocks: Sequence[str]) -> None:
    known = [name for name, _ in backbone.named_modules() if name]
    for block in blocks:
        if block not in known:
            raise RecipeError(
                f"the backbone has no block {block!r}.",
                where=f"blocks: {', '.join(known[:20]) or 'none'}",
                fix="name modules of the backbone, the first one first.",
            )


def _feature_shape(backbone: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one example's features."""
    twin = copy.deepcopy(backbone).eval()
    first = next(twin.parameters(), None)
    example = torch.zeros(2, *shape, dtype=None if first is None else first.dtype)
    try:
        with torch.no_grad():
            out = twin(example)
    except Exception as error:  # the user's own module may raise anything
        raise RecipeError(
            f"the backbone cannot be run: {type(error).__name__}: {error}",
            where=f"{type(backbone).__name__} with two examples of shape {shape}",
            fix="pass a backbone that takes inputs of this shape.",
        ) from error
    if not isinstance(out, Tensor) or out.ndim < 2 or len(out) != 2:
        found = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
        raise RecipeError(
            f"the backbone gives {found}, and features (batch, features, ...) are needed.",
            where=f"{type(backbone).__name__}.forward",
            fix="replace its own head by nn.Identity().",
        )
    return tuple(out.shape[1:])


def _load(backbone: nn.Module, path: Path) -> None:
    """Load a file's weights into a backbone."""
    try:
        backbone.load_state_dict(_read_weights(path))
    except RuntimeError as error:
        raise RecipeError(
            f"the weights do not fit the backbone: {error}",
            where=str(path),
            fix="save the state_dict of this very module, or load it yourself and pass no file.",
        ) from error


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Read named tensors; nothing in the file is run."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the readers raise anything
        raise RecipeError(
            f"the weights {str(path)!r} cannot be read: {type(error).__name__}: {error}",
            where="FineTune(weights=…)",
            fix="name a safetensors file, or one that torch.save(module.state_dict(), …) wrote.",
        ) from error
    if isinstance(found, Mapping) and all(isinstance(value, Tensor) for value in found.values()):
        return dict(found)
    raise RecipeError(
        f"{str(path)!r} holds no state_dict, names and tensors alone.",
        where="FineTune(weights=…)",
        fix="load it yourself, pick the part that is the backbone's, and pass no file.",
    )
