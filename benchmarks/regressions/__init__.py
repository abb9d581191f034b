"""What airspeed velocity follows over the history of the project: `asv run` in the folder above."""
