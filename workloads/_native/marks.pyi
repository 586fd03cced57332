"""Marks for who emulates the machine; see mark.h."""

def announce(number: int) -> None:
    """The next window is to be profiled, under this number. Raises ValueError beyond 32 bits."""

def begin() -> None:
    """The window begins, as op driver and walk say themselves."""

def end() -> None:
    """The window ends."""

def write() -> None:
    """The window is to be written down."""
