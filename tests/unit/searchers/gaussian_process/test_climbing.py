import numpy as np
import torch

from ripieno.searchers.gaussian_process.climbing import climb


def starts(count, dims, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((count, dims)))


def everywhere(points):
    return torch.ones_like(points, dtype=torch.bool)


def test_every_climb_ends_on_the_summit_of_a_bent_ridge():
    def ridge(x):
        return -(100.0 * (x[:, 1] - x[:, 0].square()).square() + (0.7 - x[:, 0]).square())

    begun = starts(6, 2)
    ends, values = climb(ridge, begun, free=everywhere(begun), steps=100)
    assert (ends - torch.tensor([0.7, 0.49])).abs().max() < 1e-2
    assert values.min() > -1e-4


def test_a_summit_outside_of_the_cube_is_sought_on_its_edge():
    top = torch.tensor([1.4, 0.3, -0.2], dtype=torch.float64)
    bend = torch.tensor([[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)

    def hill(x):
        return -torch.einsum("ci,ij,cj->c", x - top, bend, x - top)

    begun = starts(5, 3)
    ends, _ = climb(hill, begun, free=everywhere(begun), steps=60)
    # With the first coordinate at 1, the second is best at 0.3 + 0.4 / 2.
    assert (ends - torch.tensor([1.0, 0.5, 0.0])).abs().max() < 1e-4


def test_coordinates_that_are_not_free_stay_as_they_are():
    begun = starts(4, 3)
    free = everywhere(begun)
    free[:, 1] = False
    free[0] = False
    ends, _ = climb(lambda x: -(x - 0.5).square().sum(1), begun, free=free, steps=40)
    assert torch.equal(ends[:, 1], begun[:, 1])
    assert torch.equal(ends[0], begun[0])
    assert (ends[1:, [0, 2]] - 0.5).abs().max() < 1e-4


def test_a_climb_that_has_arrived_is_not_looked_at_again():
    looked = []

    def hill(x):
        looked.append(len(x))
        return -(x - 0.5).square().sum(1) * torch.where(x[:, 0] < 0.1, 0.0, 1.0)

    begun = torch.tensor([[0.05, 0.05], [0.9, 0.2]], dtype=torch.float64)
    ends, _ = climb(hill, begun, free=everywhere(begun), steps=40)
    assert torch.equal(ends[0], begun[0])
    assert (ends[1] - 0.5).abs().max() < 1e-4
    assert looked[:2] == [2, 2]
    assert set(looked[2:]) == {1}


def test_no_climb_ends_below_its_start_nor_depends_on_its_neighbours():
    def waves(x):
        return torch.sin(25.0 * x).sum(1)

    begun = starts(8, 4)
    ends, values = climb(waves, begun, free=everywhere(begun), steps=30)
    assert (values >= waves(begun)).all()
    alone, _ = climb(waves, begun[:1], free=everywhere(begun[:1]), steps=30)
    assert (alone[0] - ends[0]).abs().max() < 1e-6
