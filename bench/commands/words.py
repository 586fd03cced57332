"""What the command line says of itself before any command is loaded: every command in a line, examples."""

from __future__ import annotations

COMMANDS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("run", "add_run", {"run": "measure, and write a report"}),
    ("list", "add_list", {"list": "daemons, workloads, matrices and trees there are"}),
    ("probe", "add_probe", {"probe": "what this kernel passes through, found by trying"}),
    ("show", "add_show", {"show": "what a run holds, and its table"}),
    ("profile", "add_profile", {"profile": "which functions the instructions of a row go to"}),
    ("clean", "add_clean", {"clean": "unmount and remove what a killed run left"}),
    ("kernel", "add", {"kernel": "build, list, probe and compare kernels"}),
    (
        "selftest",
        "add",
        {"selftest": "is the instrument true? A/A runs, coverage of intervals, cross-checks"},
    ),
    (
        "compare",
        "add",
        {
            "compare": "hold runs, kernels or targets against a base",
            "history": "chart workloads over all runs",
        },
    ),
    (
        "verify",
        "add",
        {
            "bundle": "put a finished run into one file",
            "verify": "run somebody's published run again, and judge it",
        },
    ),
    ("bisect", "add", {"bisect": "find the kernel revision that made a workload slower"}),
    ("worker", "add", {"worker": "do boots, and whole runs, for others (Dask)"}),
    ("completion", "add", {"completion": "completion of fuse-bench for bash or zsh"}),
)
"""Module below bench.commands, the function in it that adds its commands, and what each does."""
SUMMARY = {name: does for _, _, names in COMMANDS for name, does in names.items()}
"""What each command does, in a line: what its own parser says, too."""

RUN_EXAMPLES = """examples:
  python -m bench run --daemon passthrough
      on this kernel: native, overlayfs, and both pairs of servers with passthrough and without; minutes
  python -m bench run --matrix iops --clock instructions \\
          --kernel base=old/bzImage --kernel patched=new/bzImage
      a kernel pair, before it is posted; --dry-run says how long
  python -m bench run --daemon mine:attach-lookup='./server -f {backing} {mountpoint}'
      a server of your own; braces also: {attr_timeout} {entry_timeout}

More of them: docs/axes.md, docs/levels.md, docs/commands.md.
"""
CODES = """exit codes:
  0 measured   1 bug   2 usage   3 nothing could be measured here (reasons printed)
  4 measured, but a trial failed or a proof did not hold   130 interrupted
"""
