#!/usr/bin/env bash
# The one command before a commit: format, lint, types, layers, security, tests. With --static, everything but the tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment dev
ruff format --check .
ruff check .
mypy
lint-imports
bandit --quiet --configfile pyproject.toml --recursive restoretk
[ "${1:-}" = --static ] || exec bash scripts/test.sh -q
