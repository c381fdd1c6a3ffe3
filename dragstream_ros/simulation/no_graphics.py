"""The one thing that can be missing."""


class NoGraphics(RuntimeError):
    """This machine can draw no live tabletop; the sentence says what to install."""
