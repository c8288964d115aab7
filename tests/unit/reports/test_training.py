from ripieno.reports import Training, trained, trainings

PROBED = "8 rows; traced: it is the fastest (traced 1.20 ms, loop 9.00 ms a step)"


def test_tier_rows_and_reason_are_read_off_a_note(trial):
    read = trained(trial(0, 1.0, notes=PROBED, seconds=2.0))
    assert read == Training("traced", "it is the fastest", 8, 8, trials=1, seconds=2.0)


def test_a_model_that_was_trained_alone_is_one_row(trial):
    notes = "one model after another: no other order has its signature"
    read = trained(trial(0, 1.0, notes=notes))
    assert read == Training("one model after another", "no other order has its signature")


def test_a_reason_keeps_its_own_colons_semicolons_and_brackets(trial):
    notes = "1 row; loop: compiled failed with ValueError: no (at all); it always works"
    read = trained(trial(0, 1.0, notes=notes))
    assert read.tier == "loop"
    assert read.reason == "compiled failed with ValueError: no (at all); it always works"


def test_an_early_end_is_no_reason_for_the_way_of_training(trial):
    early = "stopped early: no better log_loss for 3 epochs"
    assert trained(trial(0, 1.0, notes=f"{PROBED}; {early}")) == trained(
        trial(0, 1.0, notes=PROBED)
    )
    assert trained(trial(0, 1.0, notes=early)) == Training(None, None)


def test_where_it_was_trained_stands_behind_the_reason(trial):
    early = "stopped early: no better log_loss for 3 epochs"
    read = trained(trial(0, 1.0, notes=f"{PROBED}; on cuda (NVIDIA H100 80GB HBM3); {early}"))
    reason = "it is the fastest; on cuda (NVIDIA H100 80GB HBM3)"
    assert read == Training("traced", reason, 8, 8)
    assert trained(trial(0, 1.0, notes="on mps")) == Training(None, "on mps")


def test_a_note_of_another_form_is_a_reason(trial):
    long = f"{'x' * 80}: y"
    assert trained(trial(0, 1.0, notes="as it came")) == Training(None, "as it came")
    assert trained(trial(0, 1.0, notes=long)) == Training(None, long)
    assert trained(trial(0, 1.0, notes="")) == Training(None, None)


def test_line_breaks_and_what_steers_a_terminal_are_taken_out(trial):
    read = trained(trial(0, 1.0, notes="2 rows; loop: it\n  failed\x1b[2J \ud800 here"))
    assert read.reason == "it failed\N{REPLACEMENT CHARACTER}[2J \N{REPLACEMENT CHARACTER} here"


def test_reasons_that_differ_in_numbers_alone_are_one_with_that_of_the_longest(trial):
    found = trainings(
        [
            trial(0, 1.0, notes="4 rows; traced: compiling would save 3 s", seconds=1.0),
            trial(1, 1.0, notes="9 rows; traced: compiling would save 7.5 s", seconds=2.0),
            trial(2, 1.0, notes="2 rows; traced: forced", seconds=9.0),
            trial(3, 1.0, notes="2 rows; loop: forced", seconds=0.5),
        ]
    )
    assert found == (
        Training("traced", "forced", 2, 2, trials=1, seconds=9.0),
        Training("traced", "compiling would save 7.5 s", 4, 9, trials=2, seconds=3.0),
        Training("loop", "forced", 2, 2, trials=1, seconds=0.5),
    )


def test_trials_without_a_note_are_counted_beside_those_with_one(trial):
    noted = trial(0, 1.0, notes="4 rows; traced: forced", seconds=2.0)
    silent, waiting = trial(1, 1.0, seconds=1.0), trial(2)
    assert trainings([noted, silent, waiting])[1] == Training(None, None, seconds=1.0)
    assert trainings([silent, waiting]) == ()
    assert trainings([]) == ()


def test_a_trial_that_failed_in_its_first_epoch_counts(trial):
    assert trainings([trial(0, notes="2 rows; loop: forced")])[0].trials == 1
