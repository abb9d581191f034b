"""`python -m restoretk` is the command `restoretk`, and the command begins here."""

from __future__ import annotations

import sys

from restoretk._signals import Stopped, leave_at_once, leave_tidily, say_stopped


def main() -> int:
    """Run the command line; the exit code, where click does not end the program itself."""
    leave_at_once()
    from restoretk.cli import main as command

    try:
        leave_tidily()
        command(prog_name="restoretk")
    except Stopped as stopped:
        leave_at_once()
        say_stopped(stopped)
        return stopped.exit_code
    except OSError as error:  # --help and --version, which click prints before a command begins, on a full disk
        leave_at_once()
        print(f"restoretk: error: stdout: {error.strerror or error}", file=sys.stderr)  # noqa: T201 - as in _signals
        return 1
    finally:
        leave_at_once()  # Python tidies up for some milliseconds more
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
