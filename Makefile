# Every target that runs code sets the checkout up first; see setup.sh. `make` alone lists what there is.
PYTHON := .venv/bin/python
DEMO_ARGS ?=
LIVE_ARGS ?=
MUTANTS_ARGS ?=
BENCH_ARGS ?= sim
# One process a core; the tests of a file share their fixtures, a ROS master among them, so they stay together. In the
# order of the tree: files of many tests first, as xdist would have it, leaves the long live ones to one core at the end.
PYTEST_ARGS ?= -n 2 --dist loadfile --no-loadscope-reorder
# Every line and branch of the guard, run as Python; without the long walks, which are slow that way and add none.
SAFETY_COVERAGE := --ignore tests/safety/test_gate_closed_loop.py --cov=robot_rig/safety --cov-branch \
	--cov-fail-under=100 --cov-report=term-missing:skip-covered

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-live test tests beside style coverage proof mutants bench env configs clean

help:
	@echo 'robot-rig: an arm that learns to reach whatever picture it is shown.'
	@echo
	@echo '  make demo     the main job in the simulator: play, learn to see, practise, take the exam, write a report'
	@echo '                make demo DEMO_ARGS="--seed 7 --goal-seed 99"; go on after Ctrl-C with DEMO_ARGS=--resume'
	@echo '  make demo-live   the checkpoint of the last make demo reaches 5 pictures over ROS, in real time'
	@echo '                make demo-live LIVE_ARGS="--goals 20"'
	@echo '  make test     style, types and every test that is quick (under 15 minutes on 2 cores)'
	@echo '                make test PYTEST_ARGS="-k config"'
	@echo '  make proof    the tests that take long'
	@echo '  make mutants  break the guard in one place after another: does a test of it notice? Goes on where it was ended'
	@echo '                make mutants MUTANTS_ARGS="--only stages.slew --jobs 4"'
	@echo '  make bench    how fast it is beside what one would use instead'
	@echo '                make bench BENCH_ARGS=tick, or seeds'
	@echo '  make env      what a shell needs for roslaunch and rig; take it with eval "$$(make env)", then, for example,'
	@echo '                roslaunch robot_rig sim.launch'
	@echo '  make setup    apt packages and .venv only; the others do this by themselves'
	@echo '  make configs  write robot_rig/configs/default.yaml anew from the schema'
	@echo '  make clean    delete caches and build products; .venv and runs stay'
	@echo
	@echo 'Nothing here moves a real arm.'

setup:
	@bash ./setup.sh

demo: setup
	.venv/bin/rig demo $(DEMO_ARGS)

demo-live: setup
	.venv/bin/rig demo-live $(LIVE_ARGS)

test: setup
	@$(MAKE) --no-print-directory -j 2 tests beside

tests: setup
	$(PYTHON) -m pytest -m 'not proof and not robot' $(PYTEST_ARGS)

# In the time that live tests leave, at the lowest priority; what it says comes in one piece at its end.
beside: setup
	@said=$$(mktemp) && { nice -n 19 $(MAKE) --no-print-directory style coverage >"$$said" 2>&1; code=$$?; \
		cat "$$said"; rm "$$said"; exit $$code; }

style: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

coverage: setup
	NUMBA_DISABLE_JIT=1 $(PYTHON) -m pytest -m 'not proof and not robot' tests/safety $(SAFETY_COVERAGE)

proof: setup
	$(PYTHON) -m pytest -m 'proof and not robot' $(PYTEST_ARGS)

# Its tool comes when it is asked for, so that setting up for everything else does not grow.
mutants: setup
	@$(PYTHON) -c 'import cosmic_ray' 2>/dev/null || \
		bash -c "source ./setup.sh && pip_install --no-build-isolation --editable '.[mutants]'"
	$(PYTHON) -m benchmarks.mutants $(MUTANTS_ARGS)

bench: setup
	.venv/bin/rig bench $(BENCH_ARGS)

# Nothing but lines for the shell on stdout. With a real robot, ROS_IP is this machine's address beside it.
env:
	@bash ./setup.sh >&2
	@echo "export ROS_PACKAGE_PATH='$(CURDIR)'\"\$${ROS_PACKAGE_PATH:+:\$$ROS_PACKAGE_PATH}\""
	@echo "export PATH='$(CURDIR)/.venv/bin':\"\$$PATH\""
	@echo "export ROS_IP=\"\$${ROS_IP:-127.0.0.1}\""

configs: setup
	.venv/bin/rig config > default.yaml.new
	mv default.yaml.new robot_rig/configs/default.yaml

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
	rm -rf robot_rig.egg-info
