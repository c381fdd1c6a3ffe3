# `make demo` and `make test` set everything up in .venv, once, and need no root. README.md says more.
#
#   PYTHON=python3.12     another Python, 3.10 to 3.13
#   TORCH_INDEX=URL       where PyTorch comes from; empty: PyPI, whose builds bring CUDA. By default
#                         PyTorch's own CPU builds, or PyPI's on a machine with an NVIDIA driver
#   ARGS='...'            more arguments for demo, console, bench or pytest (two processes; -n 0: one)

PYTHON ?= python3
TORCH_INDEX ?= $(if $(shell command -v nvidia-smi),,https://download.pytorch.org/whl/cpu)
TORCH := torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := sim,ray,video,parquet,wan,prompt,test,dev
EDITABLE := -e
BUILD_INPUTS := setup.py pyproject.toml package.xml CMakeLists.txt $(wildcard cmake/* msg/* action/*)

# The environment is complete in itself: nothing of a sourced ROS 2 or of another environment gets in.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH PYTHONHOME PYTHONPATH
unexport RMW_IMPLEMENTATION ROS_DISTRO ROS_VERSION VIRTUAL_ENV _ROS_WHEELS_BOOTSTRAP_COMPLETE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo console test bench lint set-up clean
.DELETE_ON_ERROR:

help:
	@echo 'make demo    watch it work on a simulated robot'
	@echo 'make console drag yourself, in a browser, on a simulated robot'
	@echo 'make test    run the tests'
	@echo 'make bench   measure speed, latency and accuracy'
	@echo 'make lint    check the style, as CI and pre-commit do'
	@echo 'make clean   remove the environment and what was built'

demo: $(VENV)/ready
	@$(BIN)/dragstream demo $(ARGS)

# Kept to this machine: a robot next door must not get our drags.
console: $(VENV)/ready
	@ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST $(BIN)/dragstream run console $(ARGS)

# In the order of their names, for the long ones are not among the last.
test: $(VENV)/ready
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/ready
	@$(BIN)/dragstream bench $(ARGS)

lint: $(VENV)/ready
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/codespell

set-up: $(VENV)/ready

clean:
	rm -rf $(VENV) build dist *.egg-info dragstream_ros/*.so dragstream_ros/msg dragstream_ros/action

$(VENV)/created:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || { echo \
	  'Please install Python 3.10 to 3.13, or name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@{ command -v c++ && $(PYTHON) -c 'import ensurepip, os, sysconfig; \
	  os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))'; } >/dev/null 2>&1 || { echo \
	  'Please install a C++ compiler, Python headers and venv: apt install g++ python3-dev python3-venv' \
	  >&2; exit 1; }
	@echo 'Setting up $(VENV), once: a few minutes and 2.4 GB.'
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Alone and first, so that nothing else pulls in another build. No dependencies here: the next step brings
# them from PyPI, also where TORCH_INDEX cannot be reached.
$(VENV)/torch: $(VENV)/created
	@echo '  PyTorch'
	@$(BIN)/python -m pip install -qq --no-compile --no-deps --retries 1 $(TORCH) \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
	@touch $@

$(VENV)/ready: $(VENV)/torch $(BUILD_INPUTS)
	@echo '  ROS 2, messages and this package'
	@$(BIN)/python -m pip install -qq --no-compile $(EDITABLE) '.[$(EXTRAS)]'
	@touch $@
