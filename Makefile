# `make` alone lists the targets. What set-up installs is said before it is installed; what is there is used.
#   PYTHON=3.13              the Python for .venv, or its path (default: the newest of 3.11-3.13 on PATH)
#   BACKEND=container|vm     the kind of sandbox machine; vm has a kernel of its own
#   SANDBOX_SLOT=0..23       which of several sandboxes side by side
#   ARGS="..."               more arguments for ansible-playbook or tests/run.py, for example ARGS=--check

BACKEND ?= container
ARGS ?=

export PYTHON
export SANDBOX_BACKEND := $(BACKEND)
# Ansible insists on UTF-8; this locale is part of every Debian and Ubuntu.
export LC_ALL := C.UTF-8
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup tools paper live lint test-fast test test-weekly test-matrix test-vm audit mutants bench site changelog generate lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@sed -n 's/^#  /   /p' Makefile

setup: ## the virtual environment .venv and the sandbox's parts, nothing started
	@requirements/venv made # which may need apt, as sandbox/setup does
	@requirements/venv controller & packages=$$!; sandbox/setup; sandbox=$$?; wait $$packages && exit $$sandbox

paper: setup ## a paper gateway on the sandbox, API-ready
	ansible-playbook site.yml -l paper $(ARGS)

live: setup ## a live gateway on the sandbox; the stand-in's phone approves the sign-in
	ansible-playbook site.yml -l live $(ARGS)

tools:
	@requirements/venv dev

lint: tools ## every static check
	@python tests/run.py $(ARGS) lint

test-fast: tools ## quick lint, quick unit tests, fuzzing: no sandbox
	@python tests/run.py $(ARGS) fast

test: tools setup ## lint, and every test that takes minutes
	@sandbox/setup --release bookworm # for scenario live
	@python tests/run.py $(ARGS) all

test-weekly: tools setup ## the attacks of docs/explanation/security.md, and scenarios that change seldom
	@python tests/run.py $(ARGS) weekly

test-matrix: tools setup ## tests on each supported ansible-core and Python, side by side; ARGS="--leg 2.19-3.13 unit" for some
	@nice python -m tests.matrix $(ARGS)

test-vm: export SANDBOX_BACKEND := vm
test-vm: tools setup ## the whole site on a virtual machine, with a reboot
	@python tests/run.py $(ARGS) vm

audit: export SANDBOX_BACKEND := vm
audit: tools ## judge the hardening on fresh VMs of Debian 13 and 12; writes .cache/audit/results.json
	@python -m audit $(ARGS)

mutants: tools ## which small changes of the rules no test notices; ARGS="--module agent/session/policy --sample 200" draws some
	@nice python -m tests.mutants $(ARGS)

bench: tools paper ## measure; writes .cache/bench/results.json, bench/summary.json and the figures of the documentation; PARTS="site fleet" measures some
	PYTHONPATH=.:.ansible/collections:plugins/module_utils:sandbox/gateway python bench/run.py $(PARTS)
	@python -m tests.lint.figures --write

site: tools ## the documentation as a site, in .cache/site, with every link checked
	@python -m docs.build

changelog: tools ## what the next release's changelog will say
	@python -m tests.lint.changelog --preview

generate: tools ## write what is generated from one place: config.ini.j2, options of IBC, the roles' defaults
	@python -m tests.lint.generated

lock: tools ## write the locks of pyproject.toml's dependency groups
	@python requirements/lock.py

clean: ## remove what the project made on this machine: containers, networks, images, .sandbox, .cache, .venv
	@sandbox/clean
	rm -rf .cache .hypothesis .pytest_cache .ruff_cache
	@if [ -e .venv/.made-by-setup ]; then echo 'rm -rf .venv'; rm -rf .venv; fi
