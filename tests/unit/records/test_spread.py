from ripieno.records import spread_name, spread_of


def test_a_spread_stands_beside_its_metric():
    row = {"log_loss": 0.5, spread_name("log_loss"): 0.1}
    assert list(row) == ["log_loss", "log_loss_spread"]
    assert spread_of(row, "log_loss") == 0.1
    assert spread_of(row, "accuracy") is None
