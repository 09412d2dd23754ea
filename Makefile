# Every target makes what it needs; nothing else is installed by hand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench soak format requirements clean
demo: $(READY)          ## run the main job on real input, in .demo/
	$(BIN)/evidence-vault demo .demo

test: check             ## the checks, then all tests
	$(BIN)/pytest -n 3 --dist worksteal -m "not house"

bench: $(READY)         ## measure, beside floors and peers; writes bench/results/latest.json
	$(BIN)/python -m bench

soak: $(READY)          ## deposit while the vault is killed 200 times; nothing may be lost (SOAK=--postgres)
	$(BIN)/python -m tests.soak $(SOAK)

check: $(READY)         ## style, types, import contracts, the rules of the house
	$(BIN)/ruff format --check . && $(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -o addopts=--import-mode=importlib -m house tests/test_house.py tests/verify/test_command.py

format: $(READY)
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

requirements: export UV_CUSTOM_COMPILE_COMMAND = make requirements
requirements: $(READY)  ## pin everything again
	echo 'uv>=0.13' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes - -o requirements/uv.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements/base.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --prerelease=if-necessary-or-explicit --extra server --extra devchain pyproject.toml -c requirements/base.txt -o requirements/server.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --prerelease=if-necessary-or-explicit --all-extras --group dev pyproject.toml -c requirements/server.txt -o requirements/dev.txt
	echo 'hatchling>=1.33' | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes - -c requirements/dev.txt -o requirements/build.txt

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -q --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q anchors evidence_vault migrations
	touch $@

clean:
	rm -rf $(VENV) .demo build dist
