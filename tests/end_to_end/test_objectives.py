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
    assert ripieno.json("show", "study", "--trial", "0")["config"]["width"] == 24
    shown = ripieno("show", "study").stdout
    assert f"the front: {len(results['front'])} of 4 trials" in shown
    assert "parameters" in shown
    with rp.open(ripieno.folder / "study", read_only=True) as study:
        space = study.space
    domains = dict(space)
    domains["width"] = rp.Int(8, 16, default=8)
    narrow = rp.Space(**domains)
    (ripieno.folder / "space.json").write_text(narrow.to_json())
    more = ripieno.json("resume", "study", "--trials", "6", "--space", "space.json")
    assert more["trials"] == 6
    assert more["finished"]
    for number in ("4", "5"):
        config = ripieno.json("show", "study", "--trial", number)["config"]
        assert config.get("width", 8) <= 16
    page = (ripieno.folder / "study" / "report.html").read_text()
    assert 'id="front"' in page
    warm = ripieno.json(
        "tune", "digits", *SMALL, "--warm-start", "study", "--warm-best", "1", "--out", "warm"
    )
    assert warm["trials"] == 4
    assert json.loads((ripieno.folder / "warm" / "results.json").read_text())["front"] == []


def test_what_is_no_limit_no_config_and_no_study_is_refused(ripieno):
    assert "is no limit" in ripieno.refused("tune", "digits", "--require", "latency<5")
    (ripieno.folder / "bad.json").write_text("[1, 2]")
    assert "gives no configurations" in ripieno.refused("tune", "digits", "--enqueue", "bad.json")
    assert "holds no study" in ripieno.refused("tune", "digits", "--warm-start", "nowhere")
