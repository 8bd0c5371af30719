# Everything runs in .venv, installed once under constraints.txt; `make demo` and `make test` need only Python 3.11+.
PYTHON ?= python3
JOBS   ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo explore test fuzz faults docs lint wheel clean

help:
	@echo "make demo   train a VAE and a β-TCVAE on dSprites; the report lands in out/demo/report.html"
	@echo "            make demo ARGS=\"--betas 1 4 8 --out out/sweep\" passes options; --help lists them"
	@echo "make explore open a page on which the latents of a trained pair are moved; ARGS=\"NAME or FILE\""
	@echo "make test   run the whole test suite"
	@echo "make fuzz   call every public callable with hostile arguments, 50,000 times, and list what is not refused well"
	@echo "make faults plant small faults in copies of the package, one at a time: the tests must see each"
	@echo "make docs   build the documentation into docs/_build/html"
	@echo "make lint   ruff and mypy --strict"
	@echo "make wheel  build the wheel, install it in a fresh environment without constraints, train one pair"
	@echo "make clean  remove .venv, the built documentation and caches (out/ stays)"
	@echo "JOBS=4 after test or faults takes more processes than two"
	@echo "PYTHON=python3.12 in front of the target's name chooses the Python that makes .venv"

install: $(READY)

$(READY): setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pyrogen needs Python 3.11 or later; $(PYTHON) is older or missing. Try: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "'$(PYTHON) -m venv' failed: install your system's venv package for $(PYTHON)."; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[test]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/python examples/beta_vae_dsprites.py --out out/demo $(ARGS)

$(VENV)/.explore: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[explore]'
	@touch $@

explore: $(VENV)/.explore
	$(BIN)/python -m pyrogen explore $(ARGS)

test: $(READY)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal

fuzz: $(READY)
	$(BIN)/python tests/fuzz/run.py --calls 50000 $(ARGS)

faults: $(READY)
	$(BIN)/python tests/planted_faults.py --jobs $(JOBS)

$(VENV)/.docs: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -b html -E -n -W --keep-going -q $(ARGS) docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

$(VENV)/.linters: $(READY)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt mypy ruff
	@touch $@

lint: $(VENV)/.linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

wheel:
	rm -rf build
	$(PYTHON) -m venv build/env
	build/env/bin/python -m pip wheel --disable-pip-version-check --quiet --no-deps --wheel-dir build/wheel .
	build/env/bin/python -m pip install --disable-pip-version-check --quiet build/wheel/*.whl
	cd build/wheel && ../env/bin/python -I ../../tests/wheel/installed.py

clean:
	rm -rf $(VENV) build docs/_build .pytest_cache .mypy_cache .ruff_cache *.egg-info
