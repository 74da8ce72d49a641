# make book and make test do everything on a fresh machine with Python 3.11 or newer; make help lists the rest.
PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PROFILE ?= book
READY  := $(VENV)/.ready
# uv installs several files at a time, in a third of the time; where it cannot, pip does
UV     := $(VENV)/bin/uv pip --quiet --system-certs --cache-dir $(VENV)/.uv
WANTED := -r requirements.txt -c constraints.txt --editable .

.PHONY: book test quick data lint pdf links bench constraints clean help
.DEFAULT_GOAL := help

# Freed memory is kept for the next batch, not handed back to the system page by page: training takes a quarter less.
book test: export MALLOC_MMAP_THRESHOLD_ := 2000000000
book test: export MALLOC_TRIM_THRESHOLD_ := 4000000000
book: $(READY)  ## build the book from real data; PROFILE=smoke shows in minutes that everything runs
	$(PY) -m wna_utils book --profile $(PROFILE) $(if $(JOBS),--jobs $(JOBS))
	@echo "The book is at file://$(CURDIR)/_build/html/index.html"

test: $(READY)  ## run the tests
	$(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal

data: $(READY)  ## fetch and verify the data that the book uses
	$(PY) -m wna_utils data

quick: $(READY)  ## run the tests that neither run a notebook nor take long
	$(PY) -m pytest -n auto --maxprocesses 4 --dist worksteal -m "not notebook and not slow"

lint: $(READY)  ## check style, types, that notebooks carry no outputs, and who imports whom
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/nbstripout --verify notebooks/*.ipynb
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

pdf: $(READY)  ## print the built book to one file, with Chromium or Chrome
	$(VENV)/bin/jupyter-book build . --builder singlehtml --quiet
	$(PY) -m wna_utils pdf

links: $(READY)  ## try the links to other sites
	$(VENV)/bin/jupyter-book build . --builder linkcheck --quiet

bench: $(READY)  ## measure the streaming loop against the original's
	$(PY) -m wna_utils bench

constraints:  ## install what requirements.txt says now, and write down the versions of all that is installed
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	head -3 constraints.txt > constraints.new
	$(PY) -m pip freeze --exclude-editable >> constraints.new
	mv constraints.new constraints.txt

clean:  ## remove what is built, but neither the data nor trained networks and tallies
	rm -rf _build book/chapters book/generated .pytest_cache .ruff_cache

help:  ## show this help
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-11s %s\n", $$1, $$2}'

$(READY): requirements.txt constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check uv -c constraints.txt
	$(UV) install --python $(PY) $(WANTED) || $(PY) -m pip install --quiet --disable-pip-version-check --no-compile $(WANTED)
	@rm -rf $(VENV)/.uv
	@$(PY) -m compileall -q -j 0 $(VENV)/lib > /dev/null 2>&1 || true  # on all cores, where pip compiles on one
	@touch $@
