"""`python -m restoretk` is the command `restoretk`."""

from __future__ import annotations

from restoretk.cli import main

if __name__ == "__main__":
    main(prog_name="restoretk")
