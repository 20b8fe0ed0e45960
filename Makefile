# Everything here also works by hand: see .ci/setup.sh for what is installed, and pyproject.toml for each tool.

PYTHON ?= python3
ARGS ?=

export PYTHON
# Servers that tests start stand where only root looks on Debian.
export PATH := $(or $(PATH),/usr/local/bin:/usr/bin:/bin):/usr/sbin:/sbin

BIN := .venv/bin
TEST_EXTRAS := demo,speed,test,check,charts
TEST_TOOLS := redis-server:redis-server apache2:apache2-bin litmus:litmus rclone:rclone cadaver:cadaver chromium:chromium sshd:openssh-server sftp:openssh-client sshfs:sshfs proftpd:proftpd-mod-crypto /usr/lib/nginx/modules/ngx_http_dav_ext_module.so:libnginx-mod-http-dav-ext mount.davfs:davfs2 gio:libglib2.0-bin /usr/libexec/gvfsd-dav:gvfs-backends dbus-run-session:dbus-daemon fusermount3:fuse3
BENCH_TOOLS := nginx:nginx apache2:apache2-bin rclone:rclone sshd:openssh-server sftp:openssh-client sshfs:sshfs sftp:openssh-client wrk:wrk curl:curl taskset:util-linux
MUTANTS_TIME := 60m

.PHONY: help demo run test check bench mutants docs clean

help: ## Show what there is.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: ## Play the story with two gateways; ARGS=--exit ends after it.
	@.ci/setup.sh demo
	@$(BIN)/ocm-gateway demo $(ARGS)

run: ## Serve with config/gateway.yaml, or ARGS="-c FILE".
	@.ci/setup.sh speed
	@$(BIN)/ocm-gateway serve $(or $(ARGS),-c config/gateway.yaml)

test: check ## Run all tests; ARGS are given to pytest.
	@.ci/setup.sh $(TEST_EXTRAS) $(TEST_TOOLS) $(BENCH_TOOLS)
	@$(BIN)/python -m pytest -q -n auto $(ARGS)

check: ## Check style, types and layers.
	@.ci/setup.sh $(TEST_EXTRAS)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/shellcheck .ci/run .ci/setup.sh
	@$(BIN)/python -m pytest -q tests/unit/test_layers.py

bench: ## Measure beside others; prints tables and writes JSON. ARGS="--only webdav" is one subject.
	@.ci/setup.sh demo,speed $(BENCH_TOOLS)
	@$(BIN)/python -m bench $(ARGS)

mutants: ## Break the pure layers on purpose and see that a test fails; ARGS are names of mutants.
	@.ci/setup.sh $(TEST_EXTRAS),mutants
	@rm -rf mutants
	@timeout $(MUTANTS_TIME) $(BIN)/mutmut run --max-children 2 $(ARGS)
	@$(BIN)/python .ci/mutants.py $(ARGS)

docs: ## Print again the pages that come from the code.
	@.ci/setup.sh $(TEST_EXTRAS)
	@$(BIN)/python .ci/docs.py

clean: ## Remove what was made here.
	rm -rf .venv build mutants .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
