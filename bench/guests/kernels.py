"""The kernels of a run, from the words of ``--kernel`` to images and accelerators."""

from __future__ import annotations

from pathlib import Path

from bench.guests.session import Guest
from bench.kernels import disk, images, vm
from bench.model import Clock, UserError
from bench.plan.settings import Settings


def parse(text: str) -> tuple[str, str, tuple[str, ...]]:
    """(label, image, kernel parameters) of a --kernel argument; raises UserError."""
    head, *parameters = text.split(",")
    label, equals, image = head.partition("=")
    if not equals:
        label, image = "", head
    if not image:
        raise UserError(f"--kernel {text}: wanted [LABEL=]IMAGE[,PARAMETER...]")
    return label or Path(image).name, image, tuple(parameters)


def find(settings: Settings) -> list[Guest]:
    """The kernels of a run, each with the accelerator it boots with.

    Raises UserError for a kernel that is not there, and for programs that a boot will need.
    """
    vm.vng()
    disk.require(settings.backing_fs)
    found = []
    for text in settings.kernels:
        label, name, parameters = parse(text)
        image = images.locate(name)
        if settings.clock is Clock.INSTRUCTIONS:
            accelerator, why = vm.TCG, "the instruction clock needs it"
        else:
            accelerator, why = vm.accelerator_for(image)
        found.append(Guest(label, image, parameters, accelerator, why))
    labels = [guest.label for guest in found]
    if len(set(labels)) < len(labels):
        raise UserError(f"two kernels are called alike: {', '.join(labels)}; label them with NAME=")
    return found
