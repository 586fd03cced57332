#!/bin/sh
# Takes all memory of a small guest, in the second trial of a boot.
. "$(dirname "$0")/second_trial.sh"
if second_trial "$@"; then
    exec dd if=/dev/zero of=/dev/null bs=280M
fi
real_mirror "$@"
