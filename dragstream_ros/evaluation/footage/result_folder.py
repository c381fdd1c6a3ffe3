"""The folder of an evaluation: what is done is kept start by start, whole or not at all."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from dragstream_ros.evaluation.footage.case import Judged
from dragstream_ros.evaluation.footage.errors import EvaluationError
from dragstream_ros.whole_file import remove_partial_files, whole_file

STRIPS_PER_END = 5      # pictures are kept of so many of the best, and of the worst


class ResultFolder:
    """cases/KEY.json is a start's verdict and timing, cases/KEY.webp its pictures."""

    def __init__(self, path: pathlib.Path, *, question: dict[str, Any], resume: bool) -> None:
        """Make the folder, or go on in it.

        :param question: plain data: all that the answers depend on
        :raises EvaluationError: it exists and is not to be resumed, or asks another question
        """
        self.path = path
        self._cases = path / 'cases'
        question_file = self._cases / 'question.json'
        text = json.dumps(question, indent=1, sort_keys=True)
        if question_file.exists():
            if not resume:
                raise EvaluationError(
                    f'{path} holds results already; please name another --output, or go on with '
                    '--resume.')
            if question_file.read_text() != text:
                raise EvaluationError(
                    f'{path} was made from other footage, weights or settings; please name another '
                    '--output.')
            remove_partial_files(self._cases)
        else:
            self._cases.mkdir(parents=True, exist_ok=True)
            self._write(question_file, text.encode())
        self._drawn = sorted(
            (self.case(key)['psnr_db'] or 0.0, key) for key in self.keys()
            if (self._cases / f'{key}.webp').exists())
        self._keep_ends()

    def keys(self) -> list[str]:
        """The starts that are done."""
        return sorted(file.stem for file in self._cases.glob('*.[0-9]*.json'))

    def add(self, judged: Judged) -> None:
        """Keep a verdict; its pictures only while it is among the best or the worst."""
        self._write(self._cases / f'{judged.key}.webp', judged.strip)
        self._write(self._cases / f'{judged.key}.json', _as_json(
            {'case': judged.case, 'timing': judged.timing}))
        self._drawn = sorted([*self._drawn, (judged.case['psnr_db'] or 0.0, judged.key)])
        self._keep_ends()

    def case(self, key: str) -> dict[str, Any]:
        """The verdict on a start."""
        return dict(self._read(key)['case'])

    def timings(self) -> Iterator[dict[str, Any]]:
        """How long each start took."""
        for key in self.keys():
            yield {'start': key, **self._read(key)['timing']}

    def strips(self) -> list[tuple[str, bytes]]:
        """Key and WebP of the worst and the best starts, the worst first."""
        return [(key, (self._cases / f'{key}.webp').read_bytes()) for _, key in self._drawn]

    def write(self, name: str, content: bytes | dict[str, Any]) -> pathlib.Path:
        """Write a file of the folder, dictionaries as JSON."""
        path = self.path / name
        self._write(path, content if isinstance(content, bytes) else _as_json(content))
        return path

    def _keep_ends(self) -> None:
        for number in range(len(self._drawn))[STRIPS_PER_END:-STRIPS_PER_END][::-1]:
            _, key = self._drawn.pop(number)
            (self._cases / f'{key}.webp').unlink()

    def _read(self, key: str) -> dict[str, Any]:
        return dict(json.loads((self._cases / f'{key}.json').read_text()))

    @staticmethod
    def _write(path: pathlib.Path, content: bytes) -> None:
        with whole_file(path) as partial:
            partial.write_bytes(content)


def _as_json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, sort_keys=True, allow_nan=False) + '\n').encode()
