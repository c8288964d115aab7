import inspect
import pickle

import pytest

import ripieno.errors
from ripieno.errors import ArtifactError, LedgerError, RipienoError, SpaceError

PUBLIC = [getattr(ripieno.errors, name) for name in ripieno.errors.__all__]
KINDS = [kind for kind in PUBLIC if issubclass(kind, RipienoError)]
PARTS = {
    "problem": "'lr' = 0 is too small.",
    "where": "Float(low=0)",
    "fix": "raise `low` above zero.",
}


def make(kind):
    return kind(PARTS["problem"], where=PARTS["where"], fix=PARTS["fix"])


def test_a_message_has_three_parts_on_three_lines():
    assert str(make(SpaceError)) == (
        "'lr' = 0 is too small.\n  In:  Float(low=0)\n  Fix: raise `low` above zero."
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_are_attributes_and_survive_pickle(kind):
    error = make(kind)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(twin) is kind
    assert str(twin) == str(error)
    for name, text in PARTS.items():
        assert getattr(error, name) == getattr(twin, name) == text


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("SpaceError", ValueError),
        ("SearchError", ValueError),
        ("RecipeError", ValueError),
        ("DataError", ValueError),
        ("StudyError", ValueError),
        ("LedgerError", OSError),
        ("ArtifactError", OSError),
        ("EnsembleError", ValueError),
        ("ReportError", ValueError),
        ("WorkerError", RuntimeError),
    ],
)
def test_each_error_is_also_the_builtin_that_a_caller_would_catch(name, builtin):
    kind = getattr(ripieno.errors, name)
    assert issubclass(kind, builtin)
    assert issubclass(kind, RipienoError)
    with pytest.raises(builtin, match="too small"):
        raise make(kind)


def test_a_lost_artifact_is_a_fault_of_the_record():
    assert issubclass(ArtifactError, LedgerError)


def test_every_error_of_the_module_is_public_and_drawn_in_the_tree():
    defined = {
        name
        for name, value in vars(ripieno.errors).items()
        if inspect.isclass(value) and issubclass(value, RipienoError)
    }
    assert defined == {kind.__name__ for kind in KINDS}
    assert all(name in ripieno.errors.__doc__ for name in defined)


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_must_be_named(kind):
    with pytest.raises(TypeError):
        kind("problem", "where", "fix")


def test_what_is_no_error_is_a_warning_that_python_shows():
    assert [kind.__name__ for kind in PUBLIC if kind not in KINDS] == ["RipienoWarning"]
    assert issubclass(ripieno.errors.RipienoWarning, UserWarning)


def test_what_nobody_reads_to_its_end_is_shortened_in_the_message_alone():
    error = SpaceError("x" * 100_000, where="here", fix="shorten it.")
    assert len(str(error)) < 3_000
    assert str(error).endswith("\n  In:  here\n  Fix: shorten it.")
    assert len(error.problem) == 100_000
