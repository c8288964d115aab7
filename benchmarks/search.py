"""Which config next: every searcher and Optuna's samplers on tables of real trainings.

The tables are those of ``ripieno.testing.read_problem`` (fcnet, hpobench_mlp, NAS-Bench-201,
taskset's last validation loss) beside four functions with a known optimum. Everybody gets the
same spaces, the default config first, the same repeat for the same trial number, one
suggestion at a time, one thread. A value is that of a trial's repeat; the regret is that of the
mean over all repeats of the config with the best value so far, so that luck does not count.

    python benchmarks/search.py [--seeds 10] [--evaluations 100] [--only fcnet] [--jobs 2]
        [--methods random sobol optuna_gp] [--minutes 30]

Runs are kept one by one in ``results/search.partial.jsonl``; called again, it does what is
missing, and writes the JSON, the picture and the table of all that is there.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from cells import Cell, read_cells, run_cells
from common import RESULTS, circumstances, write_compact
from drawing import quartiles
from functions import functions
from peers import SAMPLERS, optuna_search
from plots import Curve, Panel, panels

from ripieno.errors import SpaceError
from ripieno.searchers import searcher_names
from ripieno.testing import Incumbent, Problem, problem_names, read_problem, simulate

AT = (25, 50, 100)
PARTIAL = RESULTS / "search.partial.jsonl"
PUBLISHED = {
    "fcnet/parkinsons_telemonitoring": {
        "random": 11.4e-3, "TPE": 6.24e-3, "Hyperopt": 7.54e-3, "TuRBO-1": 7.14e-3,
        "TuRBO-5": 8.57e-3, "CoCaBO": 7.87e-3,
    },
    "fcnet/protein_structure": {
        "random": 0.2412, "TPE": 0.2210, "Hyperopt": 0.2234, "TuRBO-1": 0.2210,
        "TuRBO-5": 0.2216, "CoCaBO": 0.2246,
    },
    "nasbench201/cifar10": {
        "random": 91.19, "TPE": 91.60, "Hyperopt": 91.55, "TuRBO-1": 91.55, "TuRBO-5": 91.55,
        "CoCaBO": 91.35,
    },
}  # fmt: skip
"""Medians of the best of 200 evaluations over 15 seeds, as published for these tables."""

Key = tuple[str, str, int]


def main() -> None:
    """Run what is missing, then write the results of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of problems' names")
    parser.add_argument("--methods", nargs="*", default=[*searcher_names(), *SAMPLERS])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None)
    arguments = parser.parse_args()
    before = circumstances(["ripieno", "numpy", "optuna", "torch"])
    there = read_cells(RESULTS / "search.json", PARTIAL)
    tasks = [
        (name, method, seed, arguments.evaluations)
        for seed in range(arguments.seeds)
        for name in all_names()
        if any(name.startswith(prefix) for prefix in arguments.only)
        for method in arguments.methods
        if there.get((name, method, seed), {"evaluations": 0})["evaluations"]
        < arguments.evaluations
    ]
    if tasks:
        run_cells(run_cell, tasks, path=PARTIAL, jobs=arguments.jobs, minutes=arguments.minutes)
    cells = read_cells(RESULTS / "search.json", PARTIAL)
    if cells:
        write_results(cells, before)


def all_names() -> list[str]:
    """Return the names of all problems, the quick ones first."""
    return [problem.name for problem in functions()] + list(problem_names())


def find(name: str) -> Problem:
    """Return a problem by name; of learning curves, their ends."""
    for problem in functions():
        if problem.name == name:
            return problem
    return read_problem(name).at_the_end()


def run_cell(task: tuple[str, str, int, int]) -> Cell:
    """Search one problem with one method and one seed."""
    name, method, seed, evaluations = task
    problem = find(name)
    cell: Cell = {"problem": name, "method": method, "seed": seed, "evaluations": evaluations}
    try:
        incumbents, cost = _search(problem, method, seed=seed, evaluations=evaluations)
    except SpaceError as error:  # a grid over real numbers, and nothing else
        return {**cell, "refused": error.problem}
    curve = [
        [each.evaluations, _rounded(each.value), _rounded(problem.regret(each.config))]
        for each in incumbents
    ]
    return {**cell, "suggest_ms": round(1e3 * cost, 3), "curve": curve}


def _search(
    problem: Problem, method: str, *, seed: int, evaluations: int
) -> tuple[list[Incumbent], float]:
    """Return the best-so-far curve, and processor seconds an evaluation."""
    if method in SAMPLERS:
        peer = optuna_search(problem, sampler=method, seed=seed, most_trials=evaluations)
        return peer.incumbents, peer.suggest_seconds
    done = simulate(problem, searcher=method, trials=evaluations, seed=seed, keep_record=False)
    return done.incumbents, done.ask_seconds / done.orders


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def regret_after(cell: Cell, evaluations: int) -> float:
    """Return the simple regret of a cell after so many evaluations; infinite before a value."""
    reached = [regret for at, _, regret in cell["curve"] if at <= evaluations]
    return reached[-1] if reached else math.inf


def value_after(cell: Cell, evaluations: int) -> float:
    """Return the best value seen after so many evaluations."""
    reached = [value for at, value, _ in cell["curve"] if at <= evaluations]
    return reached[-1] if reached else math.nan


def mean_ranks(cells: Mapping[Key, Cell], evaluations: int) -> dict[str, float]:
    """Return each method's rank among all, the mean over problems and seeds; ties share.

    Ranked are the methods that were run on every problem, on :func:`shared_seeds`.
    """
    runs, whole = _runs(cells, evaluations), _whole(cells, evaluations)
    seeds = shared_seeds(cells, evaluations)
    shared = [run for (_, seed), run in runs.items() if seed in seeds]
    return {
        method: fmean(
            sum(run[other] < run[method] for other in whole)
            + (1 + sum(run[other] == run[method] for other in whole)) / 2
            for run in shared
        )
        for method in whole
        if shared
    }


def shared_seeds(cells: Mapping[Key, Cell], evaluations: int) -> list[int]:
    """Return the seeds that all ranked methods have on every problem: none weighs more."""
    runs, whole = _runs(cells, evaluations), _whole(cells, evaluations)
    problems = {problem for problem, _ in runs}
    return [
        seed
        for seed in sorted({seed for _, seed in runs})
        if all(method in runs[problem, seed] for problem in problems for method in whole)
    ]


def _runs(cells: Mapping[Key, Cell], evaluations: int) -> dict[tuple[str, int], dict[str, float]]:
    """Return the regret of each method, for every problem and seed."""
    runs: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    for (problem, method, seed), cell in cells.items():
        if cell["evaluations"] >= evaluations and "curve" in cell:
            runs[problem, seed][method] = regret_after(cell, evaluations)
    return runs


def _whole(cells: Mapping[Key, Cell], evaluations: int) -> list[str]:
    """Return the methods that were run on every problem."""
    runs = _runs(cells, evaluations)
    problems = {problem for problem, _ in runs}
    return [
        method
        for method in _methods(cells)
        if problems and problems == {problem for (problem, _), run in runs.items() if method in run}
    ]


def _methods(cells: Mapping[Key, Cell]) -> list[str]:
    return sorted({method for _, method, _ in cells})


def write_results(cells: Mapping[Key, Cell], before: dict[str, object]) -> None:
    """Write the JSON with all cells, the table and the picture."""
    ranks = {at: mean_ranks(cells, at) for at in AT}
    results = before | {
        "what": "curve: [evaluation, best value so far, regret of its config's mean value]",
        "published_after_200": PUBLISHED,
        "mean_ranks": ranks,
        "ranked_seeds": shared_seeds(cells, AT[-1]),
    }
    written = write_compact("search", results, list(cells.values()))
    table = RESULTS / "search.md"
    table.write_text("\n".join(tables(cells, ranks)) + "\n")
    print(f"written to {written}, {table} and {draw(cells)}")
    for at, of in ranks.items():
        best = sorted(of.items(), key=lambda item: item[1])
        print(f"mean rank after {at}:", ", ".join(f"{name} {rank:.2f}" for name, rank in best))


def tables(cells: Mapping[Key, Cell], ranks: Mapping[int, Mapping[str, float]]) -> list[str]:
    """Return the results as Markdown."""
    lines = ["# Searchers side by side", "", "Written by `benchmarks/search.py`.", ""]
    seeds = ", ".join(map(str, shared_seeds(cells, AT[-1]))) or "none"
    lines += ["Mean rank over problems and the seeds that all ranked methods have on each of them"]
    lines += [f"(1 is best; seeds: {seeds}), and milliseconds a suggestion:", ""]
    lines += ["| method | " + " | ".join(f"after {at}" for at in AT) + " | ms |"]
    lines += ["|---|" + "---|" * (len(AT) + 1)]
    order = sorted(_methods(cells), key=lambda m: (ranks[AT[-1]].get(m, math.inf), m))
    for method in order:
        cost = [c["suggest_ms"] for (_, m, _), c in cells.items() if m == method and "curve" in c]
        numbers = [_say(ranks[at].get(method)) for at in AT]
        cost_text = f"{median(cost):.3g}" if cost else "-"
        lines.append(f"| {method} | {' | '.join(numbers)} | {cost_text} |")
    for name in all_names():
        lines += _table_of(name, cells, order)
    return lines


def _say(rank: float | None) -> str:
    return "-" if rank is None else f"{rank:.2f}"


def _table_of(name: str, cells: Mapping[Key, Cell], order: Sequence[str]) -> list[str]:
    mine = {key: cell for key, cell in cells.items() if key[0] == name and "curve" in cell}
    if not mine:
        return []
    lines = ["", f"## {name}", ""]
    lines += ["Simple regret: median [quartiles].", ""]
    lines += ["| method | seeds | " + " | ".join(f"after {at}" for at in AT) + " | best value |"]
    lines += ["|---|" + "---|" * (len(AT) + 2)]
    for method in order:
        runs = [cell for (_, m, _), cell in mine.items() if m == method]
        if not runs:
            continue
        row = [
            _quartiles([regret_after(c, at) for c in runs if c["evaluations"] >= at]) for at in AT
        ]
        last = max(cell["evaluations"] for cell in runs)
        best = median(value_after(cell, last) for cell in runs)
        lines.append(f"| {method} | {len(runs)} | {' | '.join(row)} | {best:.5g} after {last} |")
    for method, value in PUBLISHED.get(name, {}).items():
        lines.append(f"| {method}, published | 15 |{' - |' * len(AT)} {value:.5g} after 200 |")
    return lines


def _quartiles(values: Sequence[float]) -> str:
    if not values:
        return "-"
    if not all(map(math.isfinite, values)):
        return f"{median(values):.3g}"
    first, middle, third = quartiles(sorted(values))
    return f"{middle:.3g} [{first:.3g}, {third:.3g}]"


def draw(cells: Mapping[Key, Cell]) -> Path:
    """Draw the median regret of each method along the evaluations, a panel a problem."""
    steps = range(1, 1 + max(cell["evaluations"] for cell in cells.values()))
    drawn = []
    for name in all_names():
        curves = []
        for method in _methods(cells):
            runs = [
                c for (p, m, _), c in cells.items() if (p, m) == (name, method) and "curve" in c
            ]
            if runs:
                until = [at for at in steps if at <= min(c["evaluations"] for c in runs)]
                y = [median(regret_after(cell, at) for cell in runs) for at in until]
                curves.append(Curve(method, until, [v if v < math.inf else math.nan for v in y]))
        if curves:
            drawn.append(Panel(name, curves))
    return panels(
        RESULTS / "search.svg",
        drawn,
        title="Simple regret, median over seeds",
        caption="of the config with the best value so far; same spaces, same first config",
        x_axis="evaluations",
        y_axis="simple regret",
    )


if __name__ == "__main__":
    main()
