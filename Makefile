# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LIMIT ?= 210
PAPER_LIMIT ?= 60
SHARDS ?= 2
BOARD := leaderboards/results/mini
BOARD_SUITES ?= i2p i2p-sexual nsfw56k-sexual sneakyprompt mma drawbench pickapic hpd coco30k
BOARD_METHODS ?= sd-v1.5 sd-v1.5-filter sld-weak sld-medium sld-strong sld-max safree esd-u esd-x uce rece alignguard \
	diffusion-dpo-quality diffusion-dpo-safety t2i-spo black

.PHONY: env demo test lint slow miniature report board ablations paper clean

env: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[nudenet,train,leaderboard,dev]'
	touch $@

demo: env
	$(BIN)/bench run --method sd-v1.5 --suite i2p --limit $(LIMIT) --gallery
	$(BIN)/bench run --method sld-medium --suite i2p --limit $(LIMIT)
	$(BIN)/bench run --method uce --suite i2p --limit $(LIMIT)
	$(BIN)/bench compare sd-v1.5 sld-medium uce --suite i2p --limit $(LIMIT)

# One process a core with one thread each; a module's tests stay together, since they share what it has made.
test: env
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadscope

slow: env
	$(BIN)/python -m pytest -q -m slow

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Retrains everything that the miniature track ships, from nothing, then prints its quality report.
miniature: env
	$(BIN)/python -m training.miniature

report: env
	$(BIN)/python -m training.miniature.report

# The board that ships: every method on every suite of the miniature, and the ablations. Hours on a laptop; what is finished is not done again.
board: ablations
	for suite in $(BOARD_SUITES); do for method in $(BOARD_METHODS); do $(BIN)/bench run --method $$method --suite $$suite || exit 1; done; done
	$(BIN)/bench board --runs runs --out $(BOARD)
	$(BIN)/bench speed $(BOARD_METHODS) --rounds 5 --batch-size 16 --out $(BOARD)/speed.csv
	for what in lambda dfm augmentations; do \
		mkdir -p $(BOARD)/ablations/$$what && cp runs/training/mini/ablate-$$what/table.csv runs/training/mini/ablate-$$what/curves.csv $(BOARD)/ablations/$$what/ || exit 1; \
	done
	mkdir -p $(BOARD)/libraalign && cp runs/training/mini/libraalign/manifest.json $(BOARD)/libraalign/

# The paper's ablations on the miniature: the data set, and eleven trainings on it. SHARDS: processes that make the data set, a core and 1.5 GB each.
ablations: env
	for shard in $$(seq 0 $$(($(SHARDS) - 1))); do $(BIN)/bench train libraalign --set shard=$$shard/$(SHARDS) & done; wait
	$(BIN)/bench train libraalign
	$(BIN)/bench ablate lambda --set steps=100 --set dfm=null --limit 140
	$(BIN)/bench ablate dfm --set steps=80 --set 'kinds={"harmful-safe":100,"safe-safe":20}' --limit 40
	$(BIN)/bench ablate augmentations --set steps=80 --set 'kinds={"harmful-safe":100,"safe-safe":20}' --limit 40

# The paper's tables and figures on the miniature, from nothing, into paper/: see docs/reproduce-the-paper.md.
# PAPER_LIMIT: prompts of each suite in the runs that it makes (0 for all).
paper: ablations
	$(BIN)/bench paper --out paper --limit $(PAPER_LIMIT)

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
