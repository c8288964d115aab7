import math

import pytest
import torch

from ripieno.errors import SearchError, SpaceError
from ripieno.nas import Enas, Guard, cell_space, search_supernet
from ripieno.nas.controller import Controller
from ripieno.nas.enas import Baseline, Lessons, policy_loss
from ripieno.space import Categorical, Space

SPACE = cell_space(filters=4, stages=1)
QUICK = Enas(hidden=8, steps=2, draws=3, candidates=4)
BEST = {
    "edge_0_1": "nor_conv_3x3", "edge_0_2": "none", "edge_1_2": "nor_conv_1x1",
    "edge_0_3": "skip_connect", "edge_1_3": "avg_pool_3x3", "edge_2_3": "nor_conv_3x3",
}  # fmt: skip


def test_the_gradient_is_that_of_reinforce_by_hand():
    torch.manual_seed(0)
    controller = Controller(
        Space(edge=Categorical("a", "b", "c")), hidden=4, temperature=5.0, tanh=2.5
    ).double()
    choices, advantage = torch.tensor([[2], [0], [0]]), torch.tensor([0.5, -1.0, 2.0]).double()
    policy_loss(controller(choices).log_probability, advantage).backward()
    # d log p_a / d z_j = (1[a = j] - p_j) * 2.5 / 5 * (1 - tanh(z_j / 5)^2)
    with torch.no_grad():
        nought = torch.zeros(1, 4, dtype=torch.float64)
        hidden, _ = controller.lstm(controller.start[None], (nought, nought))
        z = controller.heads[0](hidden)[0]
        chances = (2.5 * torch.tanh(z / 5.0)).softmax(0)
        slope = 0.5 * (1.0 - torch.tanh(z / 5.0) ** 2)
        hot = torch.eye(3, dtype=torch.float64)[choices[:, 0]]
        expected = -(advantage[:, None] * (hot - chances) * slope).mean(0)
    torch.testing.assert_close(controller.heads[0].bias.grad, expected)


def test_a_draw_has_to_surpass_the_moving_average_that_it_has_moved():
    baseline = Baseline(decay=0.9)
    found = [baseline.advantage(reward) for reward in (0.5, 0.7, 0.2)]
    averages = [0.5, 0.52, 0.9 * 0.52 + 0.1 * 0.2]
    assert found == pytest.approx([0.0, 0.7 - averages[1], 0.2 - averages[2]])


def test_the_entropy_is_a_part_of_the_reward(monkeypatch):
    seen = []
    lessons = Lessons(Controller(SPACE, hidden=4), Enas(entropy=0.5, draws=3))
    monkeypatch.setattr(lessons.baseline, "advantage", lambda reward: seen.append(reward) or 0.0)
    drawn = lessons.step(lambda config: 0.25)
    assert seen == pytest.approx((0.25 + 0.5 * drawn.entropy).tolist())
    assert seen[0] == pytest.approx(0.25 + 0.5 * 6 * math.log(5), abs=0.05)


def test_a_controller_learns_to_draw_the_architecture_that_is_rewarded_best():
    torch.manual_seed(0)
    controller = Controller(SPACE)
    best = SPACE.config(BEST)

    def drawn():
        return [controller.config(choices) for choices in controller.draw(100).choices]

    def reward(config):
        return sum(config[name] == value for name, value in BEST.items()) / len(BEST)

    lessons = Lessons(controller, Enas())
    assert drawn().count(best) == 0
    for _ in range(300):
        lessons.step(reward)
    assert drawn().count(best) > 50


def test_what_breaks_a_constraint_is_never_found(few_digits):
    space = SPACE.where("edge_0_1 == 'nor_conv_3x3'", "it begins with a convolution")
    options = Enas(hidden=8, steps=1, draws=2, candidates=60)
    found = search_supernet(space, few_digits, options, epochs=2, batch_size=32, guard=None)
    assert all(epoch.config.edge_0_1 == "nor_conv_3x3" for epoch in found.epochs)
    never = SPACE.where("edge_0_1 == 'nothing'", "nothing goes")
    with pytest.raises(SpaceError, match="nothing goes"):
        search_supernet(never, few_digits, QUICK, epochs=1, batch_size=32, guard=None)


def test_draws_are_not_stopped_for_their_shortcuts(few_digits):
    guard = Guard(skips=-1, warmup=0.0)
    found = search_supernet(SPACE, few_digits, QUICK, epochs=3, batch_size=32, guard=guard)
    assert (len(found.epochs), found.stopped) == (3, None)


def test_strengths_are_the_shares_of_the_candidates(few_digits):
    found = search_supernet(SPACE, few_digits, QUICK, epochs=1, batch_size=32, guard=None)
    shares = found.strengths["normal"]
    torch.testing.assert_close(shares.sum(1), torch.ones(6))
    assert torch.equal(4 * shares, (4 * shares).round())
    assert found.epochs[0].eigenvalue is None


@pytest.mark.parametrize(
    "told", [{"hidden": 0}, {"tanh": 0.0}, {"entropy": -1.0}, {"decay": 1.0}, {"steps": 0}]
)
def test_a_number_that_means_nothing_is_refused(told):
    with pytest.raises(SearchError, match="a number of the controller is out of range"):
        Enas(**told)
