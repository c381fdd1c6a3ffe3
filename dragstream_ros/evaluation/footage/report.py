"""The report: one HTML page that needs nothing from outside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any


def write_report(
    results: dict[str, Any], timing: dict[str, Any], strips: Sequence[tuple[str, bytes]]
) -> bytes:
    pictures = ''.join(
        f'<p>{key}</p><img src="data:image/webp;base64,{base64.b64encode(strip).decode()}">'
        for key, strip in strips)
    return f'<!doctype html><pre>{results["summary"]}</pre>{pictures}'.encode()
