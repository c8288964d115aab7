"""Tune learning rate, weight decay and label smoothing while one model trains.

Run: python examples/hypergradient.py
"""

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

import ripieno as rp
from ripieno.hypergradient import Bounded, Positive

EPOCHS, BATCH = 12, 64


def main() -> None:
    """Train a small network on the digits, and print what the hyperparameters came to."""
    torch.manual_seed(0)
    data = rp.load_data("digits", seed=0)
    x, validation_x = (torch.from_numpy(part.x) for part in (data.train, data.validation))
    y, validation_y = (torch.from_numpy(part.y) for part in (data.train, data.validation))
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    layers = ("1", "3")

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)  # far too small, on purpose
    online = rp.OnlineLearningRate(optimizer)
    tuner = rp.Bilevel(
        {
            "weight_decay": Positive(torch.full((len(layers),), 1e-4)),  # one a layer
            "label_smoothing": Bounded(0.1, 0.0, 0.5),
        },
        every=5, warmup=50, iterations=3, damping=1e-2,
    )  # fmt: skip

    def validation_loss(params, hyper):  # noqa: ARG001 - it reads none of them itself
        return F.cross_entropy(functional_call(model, params, (validation_x,)), validation_y)

    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(y)).split(BATCH):

            def train_loss(params, hyper, rows=rows):
                logs = functional_call(model, params, (x[rows],)).log_softmax(1)
                right = logs.gather(1, y[rows, None]).mean()
                share = hyper["label_smoothing"]
                squares = [params[f"{layer}.weight"].square().sum() for layer in layers]
                decay = 0.5 * (hyper["weight_decay"] * torch.stack(squares)).sum()
                return -(1 - share) * right - share * logs.mean() + decay

            params = dict(model.named_parameters())
            optimizer.zero_grad()
            loss = train_loss(params, tuner.values)
            loss.backward()
            online.step(loss)
            tuner.step(train_loss, validation_loss, params)
        with torch.no_grad():
            held_out = validation_loss(dict(model.named_parameters()), {})
        decays = ", ".join(f"{value:.1e}" for value in tuner.values["weight_decay"].tolist())
        print(
            f"epoch {epoch + 1:2}: validation loss {held_out:.3f}, lr {online.rates[0]:.1e}, "
            f"weight decay {decays}, label smoothing {tuner.values['label_smoothing']:.3f}"
        )
    print("the learning rate has found its size by itself")


if __name__ == "__main__":
    main()
