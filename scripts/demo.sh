#!/usr/bin/env bash
# The main job on two bundled photographs: one blurred here, so that every result is measured; one really blurred.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_environment.sh"
environment
out="${1:-demo_output}"
mkdir -p "$out"

restoretk explain
echo
restoretk compare data/chelsea.png --psf disk:radius=4 --noise poisson:peak=5000 --force -o "$out/chelsea.html"
restoretk deblur data/clock_motion.png --psf motion:length=36.5,angle=2 --force -o "$out/clock_restored.png"
restoretk compare data/clock_motion.png --observed --psf motion:length=36.5,angle=2 --force -o "$out/clock.html"
echo
echo "Open in a browser:"
echo "  $out/chelsea.html  a photograph blurred by a disk, with the noise of 5000 photons at white, restored and measured"
echo "  $out/clock.html    a photograph that was really blurred by motion"
echo "  $out/clock_restored.png"
