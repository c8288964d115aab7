"""Trials that tune themselves, and a search that is refined, as commands."""

QUICK = ("--trials", "2", "--epochs", "2", "--recipe", "mlp", "--workers", "1", "--scheduler")


def test_trials_tune_themselves_and_the_best_of_them_is_refined(ripieno):
    knobs = ("--set", "hypergradient=lr+weight_decay", "--set", "optimizer=adam")
    found = ripieno.json("tune", "digits", *QUICK, "full", *knobs, "--out", "study")
    assert {"tuned_lr", "tuned_weight_decay"} <= set(found["best"]["validation"])
    shown = ripieno("show", "study").stdout
    assert "tuned while it trained: lr=" in shown
    assert "validation tuned" not in shown
    more = ripieno.json("resume", "study", "--refine", "1")
    assert more["trials"] == 3
    (told,) = more["refined"]
    assert told["trial"] == 2
    assert told["gain"] == told["before"] - told["after"]
    assert {"lr", "weight_decay"} >= set(told["changed"])
    said = ripieno("show", "study").stdout
    assert "refined by gradient: " in said
    assert f" {told['origin']} " in said.split("refined by gradient")[1]
    new = ripieno.json("show", "study", "--trial", "2")
    assert new["refined_from"] in {0, 1}
    assert new["metrics"]["tuned_lr"] != new["config"]["lr"]
    said = ripieno.refused("tune", "digits", "--set", "hypergradient=dropout")
    assert "'hypergradient' cannot be 'dropout'" in said
