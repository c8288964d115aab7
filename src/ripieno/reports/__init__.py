"""Figures and a page about a study, fed with records."""

from ripieno.reports import figures
from ripieno.reports.page import write_page
from ripieno.reports.range_page import write_range_test
from ripieno.reports.summary import Answers, Scores, Selection, Summary
from ripieno.reports.training import Training, trained, trainings
from ripieno.reports.words import Finding, findings

__all__ = [
    "Answers",
    "Finding",
    "Scores",
    "Selection",
    "Summary",
    "Training",
    "figures",
    "findings",
    "trained",
    "trainings",
    "write_page",
    "write_range_test",
]
