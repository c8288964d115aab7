"""Every method of hypergradients against closed forms, against each other and differences."""

import pytest
import torch
import torch.nn.functional as F

from ripieno.hypergradient import Forward, Implicit, Unrolled, hypergradient

DIMS, ROWS = 50, 80


def table(seed=0, dims=DIMS, rows=ROWS):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, rows, dims, generator=generator, dtype=torch.float64)
    true = torch.randn(dims, generator=generator, dtype=torch.float64)
    noise = torch.randn(2, rows, generator=generator, dtype=torch.float64)
    return x, x @ true + 3 * noise


class Ridge:
    """Least squares with one penalty a coefficient, whose solution is known."""

    def __init__(self, seed=0, dims=DIMS):
        (self.x, self.vx), (self.y, self.vy) = table(seed, dims)
        self.hyper = {"log_decay": torch.linspace(-2, 1, dims, dtype=torch.float64)}

    def train(self, params, hyper):
        residual = self.x @ params["w"] - self.y
        penalty = (hyper["log_decay"].exp() * params["w"] ** 2).sum()
        return 0.5 * residual.square().mean() + 0.5 * penalty

    def validate(self, params, hyper):
        # It reads the hyperparameter too: the direct gradient must not be forgotten.
        residual = self.vx @ params["w"] - self.vy
        return 0.5 * residual.square().mean() + 0.01 * hyper["log_decay"].square().sum()

    def solution(self, hyper):
        hessian = self.x.T @ self.x / len(self.x) + torch.diag(hyper["log_decay"].exp())
        return {"w": torch.linalg.solve(hessian, self.x.T @ self.y / len(self.x))}

    def closed_form(self):
        log_decay = self.hyper["log_decay"].clone().requires_grad_()
        hyper = {"log_decay": log_decay}
        return torch.autograd.grad(self.validate(self.solution(hyper), hyper), log_decay)[0]


class Logistic:
    """Logistic regression with one penalty, whose Hessian is formed and solved exactly."""

    def __init__(self):
        (self.x, self.vx), (y, vy) = table(1)
        self.y, self.vy = (y > 0).double(), (vy > 0).double()
        self.hyper = {"decay": torch.tensor(0.05, dtype=torch.float64)}

    def train(self, params, hyper):
        loss = F.binary_cross_entropy_with_logits(self.x @ params["w"], self.y)
        return loss + 0.5 * hyper["decay"] * params["w"].square().sum()

    def validate(self, params, hyper):
        return F.binary_cross_entropy_with_logits(self.vx @ params["w"], self.vy)

    def hessian(self, w):
        return torch.autograd.functional.hessian(lambda w: self.train({"w": w}, self.hyper), w)

    def solution(self):
        w = torch.zeros(DIMS, dtype=torch.float64, requires_grad=True)
        for _ in range(30):  # Newton's method
            slope = torch.autograd.grad(self.train({"w": w}, self.hyper), w)[0]
            w = (w - torch.linalg.solve(self.hessian(w), slope)).detach().requires_grad_()
        return {"w": w.detach()}

    def closed_form(self):
        w = self.solution()["w"].requires_grad_()
        slope = torch.autograd.grad(self.validate({"w": w}, self.hyper), w)[0]
        return -(slope @ torch.linalg.solve(self.hessian(w), w.detach()))


def error(found, true):
    return float((found - true).norm() / true.norm())


def implicit_error(problem, params, **options):
    found = hypergradient(
        problem.train, problem.validate, params, problem.hyper, method="implicit", **options
    )
    return error(next(iter(found.values())), problem.closed_form())


@pytest.mark.parametrize("problem", [Ridge(), Logistic()], ids=["ridge", "logistic"])
@pytest.mark.parametrize("products", ["exact", "differences"])
def test_enough_conjugate_gradients_are_the_closed_form(problem, products):
    params = problem.solution(problem.hyper) if isinstance(problem, Ridge) else problem.solution()
    found = implicit_error(problem, params, iterations=DIMS + 5, products=products)
    assert found < {"exact": 1e-10, "differences": 1e-6}[products]


@pytest.mark.parametrize("problem", [Ridge(), Logistic()], ids=["ridge", "logistic"])
def test_errors_of_conjugate_gradients_fall_as_their_theory_says(problem):
    params = problem.solution(problem.hyper) if isinstance(problem, Ridge) else problem.solution()
    w = params["w"]
    hessian = torch.autograd.functional.hessian(lambda w: problem.train({"w": w}, problem.hyper), w)
    values = torch.linalg.eigvalsh(hessian)
    condition = float(values[-1] / values[0])
    rate = (condition**0.5 - 1) / (condition**0.5 + 1)
    errors = [implicit_error(problem, params, iterations=k) for k in (1, 2, 5, 10, 20)]
    assert errors == sorted(errors, reverse=True)
    for k, found in zip((1, 2, 5, 10, 20), errors, strict=True):
        assert found < 4 * condition * rate**k
    assert errors[2] < 0.1


@pytest.mark.parametrize("problem", [Ridge(), Logistic()], ids=["ridge", "logistic"])
def test_errors_of_the_neumann_series_fall_as_its_theory_says(problem):
    params = problem.solution(problem.hyper) if isinstance(problem, Ridge) else problem.solution()
    hessian = torch.autograd.functional.hessian(
        lambda w: problem.train({"w": w}, problem.hyper), params["w"]
    )
    values = torch.linalg.eigvalsh(hessian)
    alpha = float(1.0 / values[-1])
    options = {"solver": "neumann", "step_size": alpha}
    counts = (5, 20, 100, 400)
    errors = [implicit_error(problem, params, iterations=k, **options) for k in counts]
    rate = 1 - alpha * float(values[0])
    for k, found in zip(counts, errors, strict=True):
        assert found < 4 * float(values[-1] / values[0]) * rate ** (k + 1) + 1e-13
    own = [implicit_error(problem, params, iterations=k, solver="neumann") for k in counts]
    assert all(mine < given for mine, given in zip(own[:3], errors[:3], strict=True))


def test_a_series_of_k_terms_is_k_unrolled_steps_from_the_minimum():
    problem = Logistic()
    params = problem.solution()
    series = hypergradient(
        problem.train, problem.validate, params, problem.hyper,
        method=Implicit("neumann", iterations=6, step_size=0.3),
    )  # fmt: skip
    unrolled = hypergradient(
        problem.train, problem.validate, params, problem.hyper,
        method=Unrolled(7, "sgd", {"lr": 0.3}),
    )  # fmt: skip
    torch.testing.assert_close(series, unrolled, rtol=1e-10, atol=1e-14)


def one(value):
    return torch.tensor(value, dtype=torch.float64)


class Net:
    """A small network, with hyperparameters of its loss and of its optimizer."""

    def __init__(self):
        generator = torch.Generator().manual_seed(3)

        def draw(*shape):
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        self.x, self.vx = draw(12, 3), draw(9, 3)
        self.y, self.vy = draw(12), draw(9)
        self.params = {"a": draw(3, 4), "b": draw(4), "c": draw(4), "unused": draw(2)}
        self.hyper = {
            "lr": one(0.02),
            "decay": torch.tensor([0.1, 0.01, 0.02], dtype=torch.float64),
            "momentum": one(0.7),
            "scale": one(0.3),
        }

    def outputs(self, params, x):
        return torch.tanh(x @ params["a"] + params["b"]) @ params["c"]

    def train(self, params, hyper):
        loss = (self.outputs(params, self.x) - self.y).square().mean()
        named = zip(hyper["decay"], ("a", "b", "c"), strict=True)
        return loss + sum(strength * params[name].square().sum() for strength, name in named)

    def validate(self, params, hyper):
        return (self.outputs(params, self.vx) * (1 + hyper["scale"]) - self.vy).square().mean()


OPTIMIZERS = {
    "sgd": {"lr": "lr"},
    "momentum": {"lr": "lr", "momentum": "momentum"},
    "adam": {"lr": "lr", "beta1": "momentum"},
    "adamw": {"lr": "lr", "weight_decay": "scale"},
    "rmsprop": {"lr": "lr", "alpha": "momentum"},
    "adagrad": {"lr": "lr"},
    "adadelta": {"lr": "lr", "rho": "momentum"},
    "nadam": {"lr": "lr", "beta1": "momentum"},
}


def tuned(name):
    net = Net()
    numbers = OPTIMIZERS[name]
    if "momentum" not in numbers.values():
        del net.hyper["momentum"]
    return net, {"optimizer": {"momentum": "sgd"}.get(name, name), "numbers": numbers}


def value_after(net, hyper, steps, optimizer, numbers):
    """The validation loss after training by torch's own optimizer."""
    params = {name: p.clone().requires_grad_() for name, p in net.params.items()}
    given = {n: float(hyper[v]) for n, v in numbers.items()}
    if "beta1" in given:
        given["betas"] = (given.pop("beta1"), 0.999)
    kind = {
        "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
        "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad,
        "adadelta": torch.optim.Adadelta, "nadam": torch.optim.NAdam,
    }[optimizer]  # fmt: skip
    torch.set_default_dtype(torch.float64)  # nadam keeps a product in it
    try:
        own = kind(list(params.values()), foreach=False, **given)
        for _ in range(steps):
            own.zero_grad()
            net.train(params, hyper).backward()
            own.step()
    finally:
        torch.set_default_dtype(torch.float32)
    return net.validate(params, hyper).item()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_unrolled_steps_agree_with_differences_of_torchs_own_training(name):
    net, options = tuned(name)
    found = hypergradient(net.train, net.validate, net.params, net.hyper,
                          method="unrolled", steps=20, **options)  # fmt: skip
    for key, value in net.hyper.items():
        for place in range(value.numel()):
            step = 1e-6 * max(1e-1, abs(float(value.view(-1)[place])))
            ends = []
            for sign in (1, -1):
                moved = value.clone()
                moved.view(-1)[place] += sign * step
                ends.append(value_after(net, {**net.hyper, key: moved}, 20, **options))
            slope = (ends[0] - ends[1]) / (2 * step)
            assert float(found[key].view(-1)[place]) == pytest.approx(slope, rel=2e-5, abs=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("steps", [1, 20])
def test_forward_is_reverse(name, steps):
    net, options = tuned(name)
    both = [
        hypergradient(net.train, net.validate, net.params, net.hyper, method=method, steps=steps,
                      **options)
        for method in ("forward", "unrolled")
    ]  # fmt: skip
    torch.testing.assert_close(both[0], both[1], rtol=1e-12, atol=1e-13)


def test_a_gradient_that_is_zero_at_first_makes_no_nan():
    def train(params, hyper):
        return hyper["decay"] * (params["w"].square() * torch.tensor([1.0, 0.0])).sum()

    params, hyper = {"w": torch.ones(2)}, {"decay": torch.tensor(0.3), "lr": torch.tensor(0.1)}
    for method in ("unrolled", "forward"):
        found = hypergradient(train, lambda w, h: w["w"].sum(), params, hyper, method=method,
                              steps=5, optimizer="adam", numbers={"lr": "lr"})  # fmt: skip
        assert all(torch.isfinite(gradient) for gradient in found.values())
        assert float(found["lr"]) == pytest.approx(-5.0, rel=0.1)


METHODS = {
    "conjugate gradient": Implicit(iterations=4),
    "neumann": Implicit("neumann", iterations=4),
    "identity": Implicit("identity"),
    "differences": Implicit(iterations=4, products="differences"),
    "unrolled": Unrolled(5, "adam", {"lr": "lr"}),
    "forward": Forward(5, "adam", {"lr": "lr"}),
}


@pytest.mark.parametrize("name", METHODS)
def test_rows_are_what_each_is_alone(name):
    problems = [Ridge(seed, 6) for seed in range(3)]
    x = torch.stack([p.x for p in problems])
    y = torch.stack([p.y for p in problems])
    hyper = {"decay": torch.tensor([0.1, 1.0, 5.0], dtype=torch.float64)}
    if name in {"unrolled", "forward"}:
        hyper["lr"] = torch.tensor([0.1, 0.01, 0.03], dtype=torch.float64)
    params = {"w": 0.1 * torch.ones(3, 6, dtype=torch.float64)}

    def train(params, hyper):
        residual = torch.einsum("mrd,md->mr", x, params["w"]) - y
        return residual.square().mean(1) + hyper["decay"] * params["w"].square().sum(1)

    def validate(params, hyper):
        residual = torch.einsum("mrd,md->mr", x.flip(2), params["w"]) - y
        return residual.square().mean(1)

    together = hypergradient(train, validate, params, hyper, method=METHODS[name])
    for row in range(3):
        alone = hypergradient(
            lambda w, h, row=row: (
                (x[row] @ w["w"] - y[row]).square().mean() + h["decay"] * w["w"].square().sum()
            ),
            lambda w, h, row=row: (x[row].flip(1) @ w["w"] - y[row]).square().mean(),
            {name: p[row] for name, p in params.items()},
            {name: h[row] for name, h in hyper.items()},
            method=METHODS[name],
        )
        rtol = 1e-5 if name == "differences" else 1e-11
        torch.testing.assert_close(
            {n: g[row] for n, g in together.items()}, alone, rtol=rtol, atol=1e-12
        )
