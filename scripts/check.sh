#!/usr/bin/env bash
# The one command before a commit: format, lint, types, layers, tests. With --static, everything but the tests.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment dev
ruff format --check .
ruff check .
mypy
lint-imports
[ "${1:-}" = --static ] || exec bash scripts/test.sh -q
