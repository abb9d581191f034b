#!/usr/bin/env bash
# Run the tests, warnings as errors, doctests included. Arguments go to pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment test
# Two FFT or BLAS threads for each of many small arrays cost more than they bring.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
exec python -m pytest "$@"
