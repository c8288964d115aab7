"""What `hypergradient` takes, refuses and says."""

import pytest
import torch

from ripieno.errors import HypergradientError
from ripieno.hypergradient import Forward, Implicit, Unrolled, hypergradient


def one(value, dtype=torch.float64):
    return torch.tensor(value, dtype=dtype)


HESSIAN = torch.diag(torch.tensor([4.0, 1.0], dtype=torch.float64))


def train(params, hyper):
    """A parabola whose minimum is (decay / 4, decay)."""
    w = params["w"]
    return 0.5 * w @ HESSIAN @ w - hyper["decay"] * w.sum()


def validate(params, hyper):
    return params["w"].square().sum()


PARAMS = {"w": torch.tensor([0.5, 2.0], dtype=torch.float64)}
HYPER = {"decay": one(2.0)}


def test_the_gradient_is_that_of_the_way_through_the_minimum():
    # F(d) = (d / 4)^2 + d^2
    found = hypergradient(train, validate, PARAMS, HYPER)
    assert found.keys() == HYPER.keys()
    assert float(found["decay"]) == pytest.approx(2 * 2.0 * (1 / 16 + 1))


@pytest.mark.parametrize("method", ["implicit", "unrolled", "forward"])
def test_what_the_validation_loss_reads_itself_counts_too(method):
    def both(params, hyper):
        return validate(params, hyper) + 3 * hyper["decay"] + hyper["own"] ** 2

    hyper = {**HYPER, "own": one(5.0)}
    options = {} if method == "implicit" else {"steps": 60, "numbers": {"lr": 0.4}}
    found = hypergradient(train, both, PARAMS, hyper, method=method, **options)
    assert float(found["decay"]) == pytest.approx(4.25 + 3)
    assert float(found["own"]) == pytest.approx(10.0)


def test_arguments_are_left_as_they_were():
    before = {name: tensor.clone() for name, tensor in {**PARAMS, **HYPER}.items()}
    for method in (Implicit(), Unrolled(3, "adam", {"lr": "decay"}), Forward(3)):
        hypergradient(train, validate, PARAMS, HYPER, method=method)
    for name, tensor in {**PARAMS, **HYPER}.items():
        assert torch.equal(tensor, before[name])
        assert not tensor.requires_grad
        assert tensor.grad is None


def refusal(*, losses=(train, validate), params=PARAMS, hyper=HYPER, **options):
    with pytest.raises(HypergradientError) as caught:
        hypergradient(*losses, params, hyper, **options)
    assert caught.value.fix
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_a_hyperparameter_that_enters_no_loss_is_refused():
    hyper = {**HYPER, "lr": one(0.1)}
    assert "'lr' enters neither" in refusal(hyper=hyper)
    assert "'lr' enters neither" in refusal(hyper=hyper, solver="identity")
    assert "'lr' enters neither" in refusal(hyper=hyper, method="unrolled")
    assert "'lr' enters neither" in refusal(hyper=hyper, method="forward")
    named = {"numbers": {"lr": "lr"}}
    away = {"w": torch.ones(2, dtype=torch.float64)}
    assert hypergradient(train, validate, away, hyper, method="unrolled", **named)["lr"] != 0


def test_a_validation_loss_that_reads_nothing_is_flat():
    found = hypergradient(train, lambda w, h: torch.tensor(1.0), PARAMS, HYPER)
    assert float(found["decay"]) == 0.0


def test_a_hyperparameter_that_is_only_added_to_the_training_loss_is_refused():
    def added(params, hyper):
        return train(params, hyper) + hyper["bonus"] ** 2

    hyper = {**HYPER, "bonus": one(1.0)}
    assert "'bonus' enters neither" in refusal(losses=(added, validate), hyper=hyper)


def test_a_hyperparameter_with_a_gradient_of_zero_is_not_refused():
    def balanced(params, hyper):
        return train(params, hyper) + hyper["weight"] * (params["w"] - PARAMS["w"]).square().sum()

    hyper = {**HYPER, "weight": one(1.0)}
    assert float(hypergradient(balanced, validate, PARAMS, hyper)["weight"]) == 0.0


def test_a_step_size_that_diverges_is_refused():
    text = refusal(solver="neumann", step_size=0.7, iterations=30)
    assert "step_size = 0.7" in text
    assert "largest eigenvalue" in text
    fine = hypergradient(train, validate, PARAMS, HYPER, solver="neumann", step_size=0.45,
                         iterations=60)  # fmt: skip
    assert float(fine["decay"]) == pytest.approx(4.25)


def test_a_saddle_makes_the_series_diverge_and_damping_mends_it():
    def saddle(params, hyper):
        return train(params, hyper) - params["w"][1].square()

    options = {"solver": "neumann", "iterations": 40}
    assert "negative eigenvalues" in refusal(losses=(saddle, validate), **options)
    found = hypergradient(saddle, validate, PARAMS, HYPER, **options, damping=2.0)
    # (H + 2 I)^-1 of diag(4, -1) is diag(1 / 6, 1).
    assert float(found["decay"]) == pytest.approx(2 * 0.5 / 6 + 2 * 2.0, rel=1e-5)


def test_conjugate_gradients_end_at_a_direction_of_negative_curvature():
    def down(params, hyper):
        return -train(params, hyper)

    found = hypergradient(down, validate, PARAMS, HYPER)
    identity = hypergradient(down, validate, PARAMS, HYPER, solver="identity")
    torch.testing.assert_close(found, identity)


def test_rows_that_diverge_are_named():
    def rows(params, hyper):
        return hyper["decay"] * params["w"].square().sum(1)

    text = refusal(
        losses=(rows, lambda w, h: w["w"].sum(1)),
        params={"w": torch.ones(3, 2)},
        hyper={"decay": torch.tensor([0.1, 9.0, 0.2])},
        solver="neumann", step_size=1.0,
    )  # fmt: skip
    assert "in row 1." in text


def test_numbers_that_are_not_finite_are_refused():
    assert "'w' holds numbers" in refusal(params={"w": torch.tensor([1.0, torch.nan])})
    assert "'decay' holds numbers" in refusal(hyper={"decay": one(torch.inf)})
    assert "training loss is not finite" in refusal(
        losses=(lambda w, h: train(w, h) / 0.0, validate)
    )
    text = refusal(losses=(lambda w, h: train(w, h) + h["decay"] * w["w"].sum(), validate),
                   method="unrolled", steps=500, numbers={"lr": 10.0})  # fmt: skip
    assert "the gradient by 'decay' is not finite" in text


def test_tensors_and_losses_of_no_use_are_refused():
    assert "there are no hyper" in refusal(hyper={})
    assert "there are no params" in refusal(params={})
    assert "of type float" in refusal(hyper={"decay": 0.1})
    assert "torch.int64" in refusal(hyper={"decay": torch.tensor(1)})
    assert "training loss has the shape (2,)" in refusal(
        losses=(lambda w, h: w["w"] * h["decay"], validate)
    )
    rows = {"params": {"w": torch.ones(3, 2)}, "hyper": {"decay": torch.ones(3)}}
    text = refusal(losses=(lambda w, h: w["w"].sum(1), lambda w, h: w["w"].sum()), **rows)
    assert "loss has the shape" in text


def test_methods_and_options_that_do_not_exist_are_refused():
    assert "no method 'newton'" in refusal(method="newton")
    assert "no option 'steps'" in refusal(steps=3)
    assert "given beside a method" in refusal(method=Implicit(), iterations=3)
    assert "no solver 'lu'" in refusal(solver="lu")
    assert "iterations = 0" in refusal(iterations=0)
    assert "steps = 0" in refusal(method="unrolled", steps=0)
    assert "no optimizer 'lamb'" in refusal(method="forward", optimizer="lamb")
    assert "sgd has no number 'beta1'" in refusal(method="forward", numbers={"beta1": 0.9})
    assert "'rate', which is missing" in refusal(method="unrolled", numbers={"lr": "rate"})


def test_forward_refuses_more_values_than_it_is_good_for():
    hyper = {"decay": torch.ones(65, dtype=torch.float64)}
    losses = (lambda w, h: (h["decay"].sum() * w["w"].square()).sum(), validate)
    assert "65 values" in refusal(losses=losses, hyper=hyper, method="forward")


class Once(torch.autograd.Function):
    """A square without a second derivative, and without one in forward mode."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.square()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return 2 * ctx.saved_tensors[0] * slope


def test_differences_do_where_a_second_derivative_is_missing():
    def once(params, hyper):
        return (Once.apply(params["w"]) * hyper["decay"]).sum()

    params = {"w": torch.tensor([1.0, 2.0], dtype=torch.float64)}
    assert 'products="differences"' in refusal(losses=(once, validate), params=params)
    found = hypergradient(once, validate, params, HYPER, products="differences")
    # dV/dw = 2 w, H = 2 d, J = 2 w.
    assert float(found["decay"]) == pytest.approx(-2 * 5.0 / 2.0, rel=1e-6)
