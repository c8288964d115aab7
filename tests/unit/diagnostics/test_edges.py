import numpy as np

from ripieno.diagnostics import find_edges
from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.space import Float, Space


def study(units, *, best_first=True):
    space = Space(lr=Float(1e-4, 1.0, log=True), dropout=Float(0.0, 0.5))
    trials = [
        Trial(
            i,
            Config({"lr": space["lr"].decode(unit), "dropout": 0.05 + 0.4 * ((i * 7) % 10) / 10}),
            TrialStatus.PAUSED,
            ({"accuracy": 1.0 - i / 100 if best_first else i / 100},),
        )
        for i, unit in enumerate(units)
    ]
    return tuple(trials), Objective("accuracy", "maximize"), space


def test_best_values_at_the_end_of_a_range_are_found_with_their_numbers():
    (finding,) = find_edges(*study([0.98, 0.95, 0.99, *np.linspace(0.1, 0.8, 27)]))
    assert (finding.kind, finding.severity) == ("edge_of_range", "advice")
    assert finding.evidence == {"name": "lr", "end": "upper", "limit": 1.0, "trials": 3, "of": 3}


def test_bad_values_at_the_end_of_a_range_are_no_finding():
    units = [0.98, 0.95, 0.99, *np.linspace(0.1, 0.8, 27)]
    assert find_edges(*study(units, best_first=False)) == ()


def test_an_edge_is_found_among_more_trials_than_a_float_can_count_with():
    (finding,) = find_edges(*study([*np.full(3_000, 0.97), *np.linspace(0.1, 0.8, 27_000)]))
    assert finding.evidence["of"] == 3_000
