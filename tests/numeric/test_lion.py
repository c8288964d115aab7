import numpy as np
import torch

from ripieno.recipes import Lion


def test_twenty_steps_follow_the_paper():
    """Algorithm 2 of Chen et al., written out in NumPy."""
    rng = np.random.default_rng(0)
    theta, momentum = rng.normal(size=(4, 3)), np.zeros((4, 3))
    parameter = torch.tensor(theta, requires_grad=True)
    optimizer = Lion([parameter], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(20):
        gradient = rng.normal(size=(4, 3))
        eta = 0.01 * 0.9**step
        update = np.sign(0.9 * momentum + 0.1 * gradient)
        theta = theta - eta * (update + 0.1 * theta)
        momentum = 0.99 * momentum + 0.01 * gradient
        optimizer.param_groups[0]["lr"] = eta
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    np.testing.assert_allclose(parameter.detach().numpy(), theta, rtol=1e-12)
    kept = optimizer.state[parameter]
    assert list(kept) == ["exp_avg"]
    np.testing.assert_allclose(kept["exp_avg"].numpy(), momentum, rtol=1e-12)


def test_a_parameter_without_a_gradient_stays():
    parameter = torch.ones(2, requires_grad=True)
    optimizer = Lion([parameter], weight_decay=0.5)
    assert optimizer.step(lambda: torch.tensor(3.0)) == 3.0
    assert torch.equal(parameter.detach(), torch.ones(2))
