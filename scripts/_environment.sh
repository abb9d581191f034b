# Sourced by the other scripts: makes .venv in the checkout with the extras it is given, and puts it first on the PATH.
# Needs only Python >= 3.11 and PyPI. Uses uv where it is present (unless RESTORETK_INSTALLER=pip), else venv and pip.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null 2>&1 &&
      "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  echo "restoretk needs Python 3.11 or newer on the PATH (or its path in PYTHON=)" >&2
  return 1
}

# environment EXTRA...: install the checkout, editable, with these extras; a second call with nothing new does nothing.
environment() {
  local extras="$*" stamp=.venv/.restoretk-"${*:-none}" uv=""
  [ "${RESTORETK_INSTALLER:-}" != pip ] && command -v uv >/dev/null 2>&1 && uv=yes
  stamp=${stamp// /+}
  if [ ! -x .venv/bin/python ]; then
    local python
    python=$(find_python)
    echo "making .venv with $python" >&2
    if [ -n "$uv" ]; then uv venv --quiet --python "$python" .venv; else "$python" -m venv .venv; fi
  fi
  if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
    echo "installing restoretk${extras:+ with $extras} into .venv" >&2
    local target=".${extras:+[${extras// /,}]}"
    if [ -n "$uv" ]; then
      uv pip install --quiet --python .venv/bin/python --editable "$target"
    else
      .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$target"
    fi
    touch "$stamp"
  fi
  export PATH="$root/.venv/bin:$PATH"
}
