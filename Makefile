# `make` lists what there is. Needs uv (`pip install uv`), which makes the environment from pyproject.toml.
UV := uv run --extra test
CONFIG ?= conf/gato_small.yaml

.DEFAULT_GOAL := help
.PHONY: help train test bench bench-full lint format tensorboard ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train: ## train one Gato (CONFIG=conf/gato_small.yaml ARGS="--trainer.max_steps 100")
	$(UV) python run.py fit --config $(CONFIG) $(ARGS)

test: ## run the tests (ARGS="-k tokenizer")
	$(UV) pytest $(ARGS)

bench: ## measure speed beside other libraries (ARGS="--only training")
	uv run --extra bench python -m benchmarks $(ARGS)

bench-full: ## the same with more sizes, all threads, and longer rounds
	uv run --extra bench python -m benchmarks --full $(ARGS)

lint: ## check style and types, change nothing
	$(UV) ruff check
	$(UV) ruff format --check
	$(UV) mypy

format: ## put the code into its form
	$(UV) ruff check --fix
	$(UV) ruff format

tensorboard: ## show losses, scores, videos and captions of all runs
	$(UV) tensorboard --logdir logs

ci: ## what has to pass before a change goes in
	.ci/run
