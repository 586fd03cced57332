#!/bin/sh
# Has the kernel look for a victim as it does when memory runs out, in the second trial of a boot,
# and offers itself.
. "$(dirname "$0")/second_trial.sh"
if second_trial "$@"; then
    echo 1000 > /proc/self/oom_score_adj
    echo f > /proc/sysrq-trigger
fi
real_mirror "$@"
