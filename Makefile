# make train: install, prepare, train, test, draw.   make test: install, lint, type-check, test.
PYTHON ?= python3
CONFIG ?= configs/quick/recommended_semi.py
DATA ?= data/phantom
SPLIT ?= default
GPUS ?= 1
ROLE ?= test
WORK_DIR ?= work_dirs/$(basename $(subst /,_,$(patsubst configs/%,%,$(CONFIG))))

QUICK := work_dirs/quick_recommended_semi
BIN := .venv/bin
# Errors alone: setuptools warns of every editable install.
INSTALL := $(BIN)/python -m pip install -qq
export XAICOVID_STORE := $(DATA)/store
export XAICOVID_SPLIT := $(SPLIT)

ifneq ($(shell [ "$(GPUS)" -ge 1 ] 2> /dev/null && echo yes),yes)
$(error GPUS=$(GPUS): give a number of processes, 1 or more)
endif

.PHONY: help install train demo test lint format clean docs results

help:
	@echo 'make train [CONFIG=...] [DATA=...] [SPLIT=...] [GPUS=N] [ROLE=val]'
	@echo '    install, train with N processes (also on CPUs), test on the test (or val) patients, draw'
	@echo 'make demo'
	@echo '    a report on a phantom patient by the model of make train, which runs first if need be'
	@echo 'make test'
	@echo '    install, lint, check types, look for packages with known weaknesses, run the tests'
	@echo 'make docs'
	@echo '    build the documentation into build/site; fetches nothing but its packages, once'
	@echo 'make results REPORTS="a/report.json b/report.json"'
	@echo '    write docs/results/index.md from reports of tools/reproduce.py'
	@echo 'make install | lint | format | clean | help'

install: .venv/installed

train: .venv/installed $(DATA)/store/manifest.json
	PYTHON=$(BIN)/python tools/misc/train_and_test.sh $(CONFIG) $(WORK_DIR) $(GPUS) $(ROLE)

demo: .venv/installed
	test -f $(QUICK)/last_checkpoint || $(MAKE) train CONFIG=configs/quick/recommended_semi.py
	PYTHON=$(BIN)/python tools/misc/demo.sh $(QUICK) data/phantom

test: .venv/installed-test lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -rs

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/misc/audit_packages.py

format: .venv/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo 'build/site/index.html'

results: .venv/installed
	$(BIN)/python tools/misc/results_page.py $(REPORTS)

clean:
	rm -rf .venv build dist *.egg-info

data/phantom/store/manifest.json: | .venv/installed
	$(BIN)/python tools/prepare_data.py phantom data/phantom

%/store/manifest.json:
	@echo 'error: $(DATA)/store is no slice store: make one with tools/prepare_data.py' >&2; exit 2

.venv/installed: setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 10) <= v <= (3, 12) or \
	  sys.exit("error: Python %d.%d, this needs 3.10 to 3.12: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) -e .
	@why=$$($(BIN)/python -c 'import cv2' 2>&1) || { echo "$$why" | tail -n 1 >&2; \
	  echo 'error: OpenCV cannot be loaded; on Debian: apt-get install libgl1 libglib2.0-0' >&2; exit 2; }
	touch $@

.venv/installed-test: .venv/installed
	$(INSTALL) -e '.[test]'
	touch $@

.venv/installed-docs: .venv/installed
	$(INSTALL) -e '.[docs]'
	touch $@
