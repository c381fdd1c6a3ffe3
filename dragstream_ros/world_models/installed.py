"""``dragstream models``: which world models there are, what they are, and whether they fit here."""
from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from dragstream_ros.errors import DragStreamError, ErrorCode
from dragstream_ros.world_models.tabletop.model import NAME, WEIGHTS
from dragstream_ros.world_models.wan import config as wan_config
from dragstream_ros.world_models.wan import model_folder
from dragstream_ros.world_models.wan.memory_plan import plan_memory
from dragstream_ros.world_models.wan.model_folder import Say, silent

GB = 1e9


@dataclass(frozen=True)
class InstalledModel:
    """One model as it lies on the disk.

    weights_folder: '' for the bundled one.  sha256: by file.  licence: as it was given.
    obstacle: why this machine cannot run it, '' if it can.
    """

    world_model: str
    weights_folder: str
    size_bytes: int
    sha256: dict[str, str]
    licence: str
    needs: str
    obstacle: str

    def describe(self) -> str:
        """Several lines for people."""
        folder = self.weights_folder or '(bundled)'
        return '\n'.join([
            f'{self.world_model}  {folder}',
            f'  size     {self.size_bytes / GB:.3f} GB',
            *(f'  sha256   {digest}  {name}' for name, digest in self.sha256.items()),
            f'  licence  {self.licence}',
            f'  needs    {self.needs}',
            f'  here     {"no: " + self.obstacle if self.obstacle else "fits"}'])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('folders', type=Path, nargs='*', metavar='FOLDER',
                        help='a folder that `dragstream convert` wrote, or one that holds several')


def main(args: argparse.Namespace) -> int:
    status = 0
    print(bundled().describe())
    for folder in model_folders(args.folders):
        try:
            print('\n' + installed(folder, _tell).describe())
        except DragStreamError as error:
            print(f'dragstream models: {error}', file=sys.stderr)
            status = 1
    return status


def model_folders(folders: list[Path]) -> list[Path]:
    """Replace folders that are no model folder by those inside them, where there are any."""
    found: list[Path] = []
    for folder in folders:
        inside = sorted(path.parent for path in folder.glob(f'*/{wan_config.FILE_NAME}'))
        found += [folder] if (folder / wan_config.FILE_NAME).is_file() or not inside else inside
    return found


def bundled() -> InstalledModel:
    """Describe the model that comes with the package."""
    path = WEIGHTS / f'{NAME}.safetensors'
    card = json.loads(path.with_suffix('.json').read_text())['card']
    return InstalledModel(NAME, '', path.stat().st_size, {path.name: model_folder.sha256(path)},
                          card['licence'], 'one CPU core', '')


def installed(folder: Path, say: Say = silent) -> InstalledModel:
    """Describe a Wan model's folder; hashes are computed anew, and compared with the card's.

    :raises DragStreamError: it is no model folder, or a file is not what the card says
    """
    config = wan_config.WanConfig.read(folder)
    card = model_folder.read_card(folder)
    files = sorted(folder.rglob('*.safetensors'))
    digests = {str(path.relative_to(folder)): model_folder.sha256(path, say) for path in files}
    for name, part in card.get('parts', {}).items():
        if digests.get(name) != part.get('sha256'):
            raise DragStreamError(
                ErrorCode.WEIGHTS_MISMATCH,
                f'{folder / name} is not the file that {model_folder.CARD} describes: convert '
                'again, or copy the whole folder again.')
    plan = plan_memory(model_folder.read_architecture(folder), config, 'bfloat16')
    return InstalledModel(
        model_folder.world_model_of(folder), str(folder),
        sum(path.stat().st_size for path in files), digests,
        card.get('licence', 'not given'),
        f'a CUDA GPU with {plan.total / GB:.1f} GB (window {config.window}, decoder '
        f'{config.decoder})', _obstacle(plan.total))


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _obstacle(needed_bytes: int) -> str:
    if not torch.cuda.is_available():
        return 'there is no CUDA GPU; on a processor a chunk takes minutes'
    memory = torch.cuda.get_device_properties(0).total_memory
    if memory < needed_bytes:
        return (f'the GPU has {memory / GB:.1f} GB; at loading, decoder and window are given up '
                'for less, and what still does not fit is refused')
    return ''
