"""What every benchmark writes down: where, when and with what it was measured."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "circumstances", "load_average", "write", "write_compact"]

RESULTS = Path(__file__).parent / "results"


def circumstances(packages: Sequence[str]) -> dict[str, Any]:
    """Return the date, the machine, its load before the run, and the versions of packages."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load_before": load_average(),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
    }


def load_average() -> list[float]:
    """Return how many processes wanted a core over the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def write(name: str, results: Mapping[str, Any]) -> Path:
    """Write results as JSON under ``benchmarks/results`` and return the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(results, indent=2) + "\n")
    return path


def write_compact(
    name: str, results: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]
) -> Path:
    """Write results and many cells as JSON, a cell a line, and return the file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    head = json.dumps(results, indent=2).removesuffix("\n}")
    rows = ",\n".join(json.dumps(cell, separators=(",", ":")) for cell in cells)
    path.write_text(f'{head},\n  "cells": [\n{rows}\n  ]\n}}\n')
    return path


def _processor() -> str:
    """Return the processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")
