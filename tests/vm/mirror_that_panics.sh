#!/bin/sh
# Has the kernel panic as the second trial begins, in the first boot of a run: which boot it is can
# be read from the folder the guest shares with its host.
. "$(dirname "$0")/second_trial.sh"
if second_trial "$@" && grep -q '/boots/00-lab-0 ' /proc/mounts; then
    echo c > /proc/sysrq-trigger
fi
real_mirror "$@"
