#!/bin/sh
# Takes all memory there is, in the second trial of a boot.
. "$(dirname "$0")/second_trial.sh"
if second_trial "$@"; then
    exec python3 -c 'hog = []
while True: hog.append(b"x" * (1 << 22))'
fi
real_mirror "$@"
