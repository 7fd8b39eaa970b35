# How Neural Networks Really Work: `make help` lists the commands.
# The work is done by small Python programs in tools/, which run on Windows, too (see README.md).

# The first of these that is supported, or else the first that is newer.
PYTHON ?= $(shell for newest in 14 99; do for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, $$newest))" >/dev/null 2>&1 && \
	{ echo $$p; exit; }; done; done; echo python3)
RUN := .venv/bin/python
PYTEST := $(RUN) -m pytest
PARALLEL ?= 2
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help environment book notebooks chapter test site-test check lint serve lab seeds experiments mutants bench gate weight clean distclean

help:  ## list the commands
	@echo "make <command>, with Python 3.11 to 3.14 (PYTHON=python3.12 chooses one):"
	@echo
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'

environment:  ## set up .venv (every command below does so by itself)
	@command -v "$(PYTHON)" >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11 to 3.14, or say where one is: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" tools/environment.py

book: environment  ## run the notebooks, compare them with what is committed, build the site in _build/html
	@$(RUN) tools/book.py

notebooks: environment  ## run the notebooks in place and keep their new outputs
	@$(RUN) tools/notebooks.py run

lint: environment  ## ruff, over notebooks, too
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) tools/notebooks.py check

chapter: environment  ## write the skeleton of a chapter: make chapter N=05 NAME=losses
	@$(RUN) tools/chapter.py $(N) $(NAME)

test: environment  ## every test that needs no browser; the network is off
	@$(PYTEST) tests chapters --ignore=tests/site --nbval -n $(PARALLEL) --dist loadfile

site-test: book  ## the built site in a real browser, with the network off
	@$(RUN) tools/page_weight.py
	@$(PYTEST) tests/site

check: lint test site-test  ## everything that the continuous integration runs

seeds: environment  ## do the claims hold for 20 other seeds? writes the page Claims tested (minutes a chapter)
	@$(RUN) tools/seeds.py

experiments: environment  ## run the recorded experiments whose source has changed
	@$(RUN) tools/experiments.py

mutants: environment  ## change nnlib in thousands of small ways: does a test notice each? (an hour; a second run goes on)
	@$(RUN) tools/mutants.py --jobs $(PARALLEL)

.venv-bench/ready.txt: benchmarks/requirements.txt requirements.txt
	@"$(PYTHON)" -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

bench: .venv-bench/ready.txt  ## nnlib beside PyTorch, JAX and others: the table, its JSON and the page (ten minutes, a quiet machine)
	@PYTHONPATH=. .venv-bench/bin/python benchmarks/run.py --write

gate: .venv-bench/ready.txt  ## is nnlib still as fast beside PyTorch as benchmarks/results.json says?
	@PYTHONPATH=. .venv-bench/bin/python benchmarks/run.py --gate

weight: book  ## how heavy each page is
	@$(RUN) tools/page_weight.py

serve: book  ## show the site at http://localhost:8000
	@echo "http://localhost:8000 (stop with Ctrl-C)"
	@$(RUN) -m http.server 8000 --bind 127.0.0.1 --directory _build/html

lab: environment  ## open the chapters in JupyterLab
	@$(RUN) -m jupyterlab chapters

clean:  ## remove what was built
	@rm -rf _build jupyter_execute .pytest_cache .ruff_cache .hypothesis build nnlib.egg-info

distclean: clean  ## remove the environment, too
	@rm -rf .venv .venv-bench
