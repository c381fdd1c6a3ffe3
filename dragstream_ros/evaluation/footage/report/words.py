"""What a report says in words: the verdict, the facts beside it, and what to mind."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]


def verdict(main: dict[str, Any], subject: str) -> str:
    """Is the prediction more like what came than a picture that does not move?"""
    likeness = _likeness(main['gains']['copy_last']['psnr_db'], main['n'])
    if subject == 'undragged':
        return f'Told nothing, the prediction {likeness}. Nothing was dragged.'
    told = f'Told where the dragged points go, the prediction {likeness}'
    response = main['systems']['dragged'].get('response')
    if response is None:
        return f'{told}.'
    return f'{told}, and takes them {100 * response["horizon"]["mean"]:.0f} % of the way.'


def _likeness(gain: dict[str, Any], n_starts: int) -> str:
    word = 'more' if gain['mean'] > 0 else 'less'
    if gain['low'] is None:
        return (f'is {abs(gain["mean"]):.1f} dB {word} like what came than the last picture held '
                f'in {n_starts} start{"s" if n_starts > 1 else ""}, too few to judge by')
    if gain['low'] <= 0 <= gain['high']:
        return ('is neither more nor less like what came than the last picture held, as far as '
                f'{n_starts} starts can tell')
    low, high = sorted(abs(gain[end]) for end in ('low', 'high'))
    return (f'is {abs(gain["mean"]):.1f} dB {word} like what came than the last picture held '
            f'(95 %: {low:.1f} to {high:.1f} dB {word})')


def facts(main: dict[str, Any], latencies: dict[str, Any], subject: str,
          horizon_secs: float) -> list[Facts]:
    """The few numbers that one looks for first, each with what to hold beside it."""
    systems = main['systems']

    def fact(title: str, measure: str, unit: str, digits: int, beside: str, name: str) -> Facts:
        found = systems[subject][measure]['horizon']
        other = systems[beside][measure]['horizon']['mean']
        return {
            'title': title, 'value': f'{found["mean"]:.{digits}f}{unit}',
            'interval': '' if found['low'] is None else
            f'95 %: {found["low"]:.{digits}f} to {found["high"]:.{digits}f}{unit}',
            'beside': f'{name}: {other:.{digits}f}{unit}'}

    wanted = [
        ('Likeness', 'psnr_db', ' dB', 1, 'copy_last', 'last picture held'),
        ('Likeness where it moves', 'moving_psnr_db', ' dB', 1, 'copy_last', 'last picture held'),
        ('Off the asked path', 'objmc_px', ' px', 1, 'undragged', 'not dragged'),
        ('Moved / asked', 'response', '', 2, 'undragged', 'not dragged'),
    ]
    found = [fact(*words) for words in wanted
             if words[1] in systems[subject] and words[1] in systems[words[4]]]
    latency = latencies[f'{subject}_horizon_ms']
    found.append({
        'title': f'Time for {horizon_secs:g} s', 'value': f'{latency["p50"]:.0f} ms',
        'interval': f'95 of 100 within {latency["p95"]:.0f} ms',
        'beside': f'{horizon_secs / latency["p50"] * 1e3:.1f} s predicted per second'})
    return found


def notes(results: dict[str, Any]) -> list[str]:
    """What a reader has to know to understand the numbers, whole sentences."""
    window = results['config']['window']
    sizes = {tuple(start['picture_size']) for start in results['starts']}
    found = [
        'A prediction is not a safety sensor.',
        *_about_drags(results),
        'Pictures are compared at the size in which the model sees them, '
        + ' or '.join(f'{width}x{height}' for width, height in sorted(sizes))
        + ' pixels here, and lengths are in these pixels.',
        'Where the dragged points are in a prediction is found by optical flow, which errs by a '
        'pixel or so and loses what turns, melts or hides. The row "truth through the autoencoder" '
        'shows what flow and the model\N{RIGHT SINGLE QUOTATION MARK}s picture coding cost alone; '
        'no prediction can be expected to be better.',
        f'The starts are {window["every_secs"]:g} s apart and look {window["horizon_secs"]:g} s '
        'ahead. The intervals take them as independent, so they are too narrow where starts are '
        'alike.',
    ]
    if results['weights_are_bundled']:
        found.append('The bundled weights know a simulated tabletop only, and are meant for one '
                     'second.')
    names: dict[str, list[str]] = {}
    for name, footage in results['footage'].items():
        for text in footage['notes'] + footage['problems']:
            names.setdefault(text, []).append(name)
    return found + [f'{", ".join(said_of)}: {text}' for text, said_of in names.items()]


def _about_drags(results: dict[str, Any]) -> list[str]:
    if results['drags']:
        return ['The drags were given. What was recorded need not have gone their way: then '
                'likeness to it says nothing, and only the numbers about the dragged points count.']
    return [
        'A dragged prediction is told where the dragged points truly went. It does not foresee '
        'that; the question is what the picture looks like when things go there.',
        'What is dragged was found in the recorded motion, also by optical flow: now and then it '
        'is a shadow, or a thing in the background.']


def made(results: dict[str, Any], timing: dict[str, Any]) -> dict[str, str]:
    """How to make it again."""
    machine, code, memory = timing['machine'], timing['code'], timing['peak_memory_mb']
    changed = ', changed' if code['dirty'] else ''
    flat = {**results['config']['window'], **results['config']['judge'],
            **{name: value for name, value in results['config'].items()
               if not isinstance(value, dict)}}
    return {
        'date': timing['date'],
        'version': f'{results["version"]}'
                   + (f', commit {code["commit"][:10]}{changed}' if code['commit'] else ''),
        'machine': f'{machine["cpu"]}, {machine["cores"]} cores, {machine["platform"]}, '
                   f'Python {machine["python"]}, torch {machine["torch"]}',
        'memory, at most': f'{memory["reading"]} MB to read, {memory["judging"]} MB in each '
                           'process that judges',
        'settings': ', '.join(f'{name} {value}' for name, value in flat.items()
                              if value not in ('', None, (), [])),
        'weights, SHA-256': str(results['weights_sha256'] or 'unknown'),
        **{f'{name}, SHA-256': found['sha256'] for name, found in results['footage'].items()}}
