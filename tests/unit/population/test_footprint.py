import torch

from ripieno.population.footprint import peak_bytes


def test_what_is_alive_at_once_is_counted_once():
    given = torch.zeros(1000)  # 4,000 bytes

    def run():
        double = given * 2  # 8,000 in all
        view = double[:10].view(2, 5)  # no memory of its own
        del double
        triple = given * 3  # 12,000: the view holds the double
        del view, triple
        return given + 1  # 8,000 again

    assert peak_bytes(run) == 12_000


def test_what_autograd_keeps_for_the_backward_counts():
    weight = torch.zeros(1000, requires_grad=True)

    def forward():
        return weight.exp().exp().exp().sum()

    with torch.no_grad():
        assert peak_bytes(forward) == 12_000  # the weight, and what an exp reads and writes
    assert peak_bytes(forward) == 16_004  # all three results, and the sum


def test_the_peak_is_that_of_the_run_alone():
    assert peak_bytes(lambda: None) == 0
    assert peak_bytes(lambda: torch.zeros(5, dtype=torch.float64)) == 40
