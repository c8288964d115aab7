import pytest
import torch
from torch.func import vmap
from torch.fx.experimental.proxy_tensor import make_fx

from ripieno.recipes import draws
from ripieno.recipes.hashing import hashed, is_readable

KEYS = draws.key_tensor(1, 2**63 + 12345, 2**64 - 1)


def in_torch(function):
    """Run what is computed with torch's own integers, by tracing it."""
    return make_fx(function)(KEYS)(KEYS)


@pytest.mark.parametrize("layer", [0, 3, torch.tensor([0, 1, 2])])
def test_the_bits_are_those_of_the_traced_hash(layer):
    traced = in_torch(lambda keys: draws.bits(keys, (7, 11), layer=layer))
    assert torch.equal(draws.bits(KEYS, (7, 11), layer=layer), traced)
    assert torch.equal(torch.from_numpy(hashed(KEYS, (7, 11), layer).astype("int64")), traced)


@pytest.mark.parametrize("p", [0.3, 1.0, torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)])
def test_the_masks_are_those_of_the_traced_hash(p):
    traced = in_torch(lambda keys: draws.keep_mask(keys, (50,), p=p, layer=2))
    assert torch.equal(draws.keep_mask(KEYS, (50,), p=p, layer=2), traced)


def test_one_key_alone_gives_the_row_of_many():
    rows = draws.bits(KEYS, (9,))
    assert torch.equal(draws.bits(KEYS[1], (9,)), rows[1])


def test_what_is_traced_or_wrapped_cannot_be_read():
    seen = []

    def look(keys):
        seen.append(is_readable(keys))
        return keys + 1

    make_fx(look)(KEYS)
    vmap(look)(KEYS)
    assert seen == [False, False]
    assert is_readable(KEYS, 0.5)
