"""Several metrics, limits, and changes to a study, as commands."""

import json

import ripieno as rp

SMALL = ("--trials", "4", "--epochs", "1", "--recipe", "mlp", "--workers", "1", "--tier", "loop")


def test_two_metrics_a_limit_and_more_trials_from_the_shell(ripieno):
    (ripieno.folder / "first.json").write_text('{"width": 24}')
    results = ripieno.json(
        "tune", "digits", *SMALL, "--metric", "log_loss", "--metric", "parameters",
        "--require", "parameters<=1e9", "--enqueue", "first.json", "--out", "study",
    )  # fmt: skip
    assert results["best"]["trial"] == results["front"][0]["trial"]
    assert set(results["front"][0]) == {"trial", "config", "validation"}
    shown = ripieno("show", "study").stdout
    assert f"the front: {len(results['front'])} of 4 trials" in shown
    assert "parameters" in shown
    with rp.open(ripieno.folder / "study", read_only=True) as study:
        assert study.trials[0].config.width == 24
        domains = dict(study.space)
    narrow = rp.Space(**{**domains, "width": rp.Int(8, 16, default=8)})
    (ripieno.folder / "space.json").write_text(narrow.to_json())
    more = ripieno.json("resume", "study", "--trials", "6", "--space", "space.json")
    assert more["trials"] == 6
    assert more["finished"]
    with rp.open(ripieno.folder / "study", read_only=True) as study:
        assert all(trial.config.get("width", 8) <= 16 for trial in study.trials[4:])
    page = (ripieno.folder / "study" / "report.html").read_text()
    assert 'id="front"' in page
    warm = ripieno.json(
        "tune", "digits", *SMALL, "--warm-start", "study", "--warm-best", "1", "--out", "warm"
    )
    assert warm["trials"] == 4
    assert json.loads((ripieno.folder / "warm" / "results.json").read_text())["front"] == []


def test_what_is_no_limit_and_no_config_is_refused(ripieno):
    assert "is no limit" in ripieno.refused("tune", "digits", "--require", "latency<5")
    (ripieno.folder / "bad.json").write_text("[1, 2]")
    assert "gives no configurations" in ripieno.refused("tune", "digits", "--enqueue", "bad.json")
