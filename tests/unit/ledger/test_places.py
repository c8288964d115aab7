import pytest
from sqlalchemy import make_url

from ripieno.errors import LedgerError
from ripieno.ledger.places import address, named, namespace_of, without_password

SERVER = "postgresql+psycopg://ann:secret@db.example/work"


@pytest.mark.parametrize(
    ("name", "study"),
    [
        ("digits-1", "digits_1"),
        ("Kunde Ä", "kunde__"),
        ("3rd", "_3rd"),
        ("pg_mine", "_pg_mine"),
        ("", "_"),
        ("x" * 99, "x" * 63),
        ("a'; DROP TABLE study; --", "a___drop_table_study____"),
    ],
)
def test_a_study_is_named_so_that_a_schema_can_be_called_so(name, study):
    url = named(SERVER, name)
    assert url == f"{SERVER}?study={study}"
    assert namespace_of(make_url(url)) == study


def test_a_name_that_was_given_stays():
    assert named(f"{SERVER}?study=mine", "digits") == f"{SERVER}?study=mine"


def test_a_file_needs_no_name():
    assert named("sqlite:///study.db", "digits") == "sqlite:///study.db"


@pytest.mark.parametrize("study", ["", "Caps", "a b", "1st", "pg_catalog", "x" * 64, "a,public"])
def test_what_is_no_plain_name_is_refused_and_no_password_is_said(study):
    url = make_url(SERVER).update_query_dict({"study": study})
    with pytest.raises(LedgerError, match="cannot be the name of a study") as caught:
        namespace_of(url)
    assert "secret" not in str(caught.value)


def test_what_is_written_down_holds_no_password():
    url = named(f"{SERVER}?password=hidden&sslmode=require", "a")
    kept = without_password(url)
    assert kept == "postgresql+psycopg://ann@db.example/work?sslmode=require&study=a"


def test_the_short_form_means_psycopg_3():
    assert address("postgresql://ann@db.example/work").drivername == "postgresql+psycopg"
