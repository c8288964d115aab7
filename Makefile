# Two commands: `make demo` shows what Ripieno does, `make test` shows that it is right.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Two threads on small tensors are slower than one when the other core is busy.
export OMP_NUM_THREADS := 1

.PHONY: demo test check format lint types contracts benchmarks benchmarks-data benchmarks-search benchmarks-ensembles benchmarks-storage clean

# Made once, and again whenever the project's own files change what it holds.
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "pip>=25.1" -c constraints.txt
	$(BIN)/python -m pip install --quiet -c constraints.txt --editable . --group dev
	touch $@

demo: $(VENV)/.ready  ## tune real data, leave a report and an ensemble
	$(BIN)/ripieno tune digits --trials 49 --epochs 27 --seed 0 --out ripieno-studies/demo --overwrite

test: $(VENV)/.ready  ## run every test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

format: $(VENV)/.ready  ## rewrite the files as ruff wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.ready
	$(BIN)/mypy

contracts: $(VENV)/.ready
	$(BIN)/lint-imports

check: lint types contracts test  ## everything that .ci/run runs

benchmarks: $(VENV)/.ready  ## side by side with the peers; writes benchmarks/results
	$(BIN)/python -m pip install --quiet -c constraints.txt --group benchmarks
	$(BIN)/python benchmarks/bookkeeping.py
	$(BIN)/python benchmarks/population.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/large_study.py
	$(BIN)/python benchmarks/hypergradient.py
	$(BIN)/python benchmarks/refine.py
	$(BIN)/python benchmarks/pbt.py
	$(BIN)/python benchmarks/multi_fidelity.py

benchmarks-data: $(VENV)/.ready  ## real data sets from the command line, two hours; needs RIPIENO_DATA
	$(BIN)/python benchmarks/data_sets.py
	$(BIN)/python benchmarks/nas201.py
	$(BIN)/python benchmarks/architectures.py
	$(BIN)/python benchmarks/collapse.py

benchmarks-search: $(VENV)/.ready  ## every searcher beside Optuna's, an hour or two; needs RIPIENO_DATA
	$(BIN)/python benchmarks/search.py

benchmarks-ensembles: $(VENV)/.ready  ## makers beside torchensemble where it is installed, ensembles of searches; two hours
	$(BIN)/python benchmarks/ensembles.py
	$(BIN)/python benchmarks/search_ensembles.py

benchmarks-storage: $(VENV)/.ready  ## many workers on one study beside Optuna's storage, 15 minutes; needs PostgreSQL's server
	$(BIN)/python -m pip install --quiet -c constraints.txt --group benchmarks
	$(BIN)/python benchmarks/many_workers.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
