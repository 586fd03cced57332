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


def images_of(settings: Settings) -> list[images.Image]:
    """The images of a run's kernels; raises UserError for one that is not there, or is no kernel."""
    found = [(text, images.locate(parse(text)[1])) for text in settings.kernels]
    for text, image in found:
        if not images.bootable(image.path):
            raise UserError(f"--kernel {text}: {image.path} is no kernel: wanted a bzImage")
    return [image for _, image in found]


def find(settings: Settings) -> list[Guest]:
    """The kernels of a run, each with the accelerator it boots with.

    Raises UserError for a kernel that is not there, and for programs that a boot will need.
    """
    located = images_of(settings)
    vm.vng()
    disk.require(settings.backing_fs)
    found = []
    for text, image in zip(settings.kernels, located, strict=True):
        label, _, parameters = parse(text)
        if settings.clock is Clock.INSTRUCTIONS:
            accelerator, why = vm.TCG, "the instruction clock needs it"
        else:
            accelerator, why = vm.accelerator_for(image)
        found.append(Guest(label, image, parameters, accelerator, why))
    labels = [guest.label for guest in found]
    if len(set(labels)) < len(labels):
        raise UserError(f"two kernels are called alike: {', '.join(labels)}; label them with NAME=")
    return found
