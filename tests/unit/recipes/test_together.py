import torch
from torch import nn

from ripieno.recipes import build_optimizer, hidden_matrices, kept_slots, read_knobs


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 4)
        self.one, self.two = nn.Linear(4, 6), nn.Linear(6, 3)
        self.conv = nn.Conv1d(3, 3, 1)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        x = self.two(self.one(self.words(x)).relu())
        return self.head(self.conv(x.mT).mean(2))


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.tensor([[0, 1, 2], [3, 4, 0]])).square().sum().backward()
    optimizer.step()


def test_muon_trains_hidden_matrices_alone():
    assert hidden_matrices(Model()) == {"one.weight", "two.weight"}
    assert hidden_matrices(nn.Linear(2, 2)) == set()
    frozen = Model()
    frozen.one.requires_grad_(False)
    assert hidden_matrices(frozen) == {"two.weight"}


def test_muon_and_adamw_together_equal_each_alone():
    torch.manual_seed(0)
    config = {"optimizer": "muon", "lr": 0.02, "weight_decay": 0.1, "beta1": 0.8}
    model, twin = Model(), Model()
    twin.load_state_dict(model.state_dict())
    ours = build_optimizer(model, read_knobs(config))
    own = dict(twin.named_parameters())
    matrices = [own.pop("one.weight"), own.pop("two.weight")]
    muon = torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1, momentum=0.95,
                            adjust_lr_fn="match_rms_adamw")  # fmt: skip
    adamw = torch.optim.AdamW(own.values(), lr=0.02, weight_decay=0.1, betas=(0.8, 0.999))
    for number in range(5):
        for group in (*ours.param_groups, *muon.param_groups, *adamw.param_groups):
            group["lr"] = 0.02 * 0.9**number
        step(model, ours)
        muon.zero_grad()
        step(twin, adamw)
        muon.step()
    for left, right in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(left, right)
    assert ours.state[model.one.weight].keys() == {"momentum_buffer"}
    assert ours.state[model.head.weight].keys() == {"step", "exp_avg", "exp_avg_sq"}


def test_what_muon_keeps_differs_from_parameter_to_parameter():
    found = kept_slots(Model(), read_knobs({"optimizer": "muon"}))
    assert set(found["one.weight"]) == {"momentum_buffer"}
    assert set(found["one.bias"]) == {"step", "exp_avg", "exp_avg_sq"}


def test_a_model_of_one_matrix_is_trained_by_adamw():
    optimizer = build_optimizer(nn.Linear(2, 2), read_knobs({"optimizer": "muon"}))
    assert isinstance(optimizer, torch.optim.AdamW)
