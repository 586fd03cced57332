"""A profile as a speedscope file: https://www.speedscope.app reads it, nothing is sent anywhere."""

from __future__ import annotations

import json

from bench.profile.store import Profile

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def document(profile: Profile, title: str) -> str:
    """The file's text: every stack is one sample, weighed by its instructions."""
    places: dict[str, int] = {}
    stacks = sorted(profile.folded.items())
    samples = [[places.setdefault(name, len(places)) for name in stack] for stack, _ in stacks]
    return json.dumps(
        {
            "$schema": SCHEMA,
            "shared": {"frames": [{"name": name} for name in places]},
            "profiles": [
                {
                    "type": "sampled",
                    "name": title,
                    "unit": "none",
                    "startValue": 0,
                    "endValue": profile.instructions,
                    "samples": samples,
                    "weights": [count for _, count in stacks],
                }
            ],
        }
    )
