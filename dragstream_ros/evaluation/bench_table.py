"""The benchmark's numbers as tables for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dragstream_ros.evaluation.markdown import table
from dragstream_ros.evaluation.plan_table import goal_tables, plan_tables


def describe_header(report: dict[str, Any]) -> str:
    """Two lines: machine, code, weights."""
    machine, code = report['machine'], report['code']
    commit = 'no checkout' if code['commit'] is None else (
        code['commit'][:10] + (' + changes' if code['dirty'] else ''))
    return (
        f'{machine["cpu"]}, {machine["cores"]} cores, {machine["inference_threads"]} used, '
        f'{machine["matmul_fp32_gflops_one_thread"]:.0f} GFLOP/s on one, load at start '
        f'{machine["load_average"][0]:.2f}, torch {machine["torch"]}\n'
        f'{report["date"]}, {commit}, weights {report["weights"]["sha256"][:12]}, '
        f'configuration {report["config_sha256"][:12]}')


def _interval(values: dict[str, float], unit: float = 1.0) -> str:
    return (f'{values["value"] / unit:+.2f} [{values["low"] / unit:+.2f}, '
            f'{values["high"] / unit:+.2f}]')


def _share(values: dict[str, float]) -> str:
    return f'{100 * values["value"]:.0f}% [{100 * values["low"]:.0f}, {100 * values["high"]:.0f}]'


def _drags(result: dict[str, Any]) -> str:
    summary = result['summary']
    found = summary['all']
    n = next(iter(found['systems'].values()))['n']
    parts = [
        table([f'drags: all ({n})', 'success [95%]', 'arrived', 'left', 'area', 'error px', 'moved',
               'remains', 'area x', 'PSNR', 'moving'],
              [_drag_success(name, values) for name, values in found['systems'].items()]),
        table([f'drags: all ({n})', 'ObjMC px', 'lost', 'DAI 1', 'DAI 3', 'DAI 5', 'background',
               'flicker', 's per s'],
              [_published(name, values) for name, values in found['systems'].items()]),
        _by_class(summary, 'success', lambda values: _share(values['success'])),
        _by_class(summary, 'error px', lambda values: _number(values['median_error_px'], 1)),
        '\n'.join(_drag_lines(found)), _minus_guidance(found['minus_guidance']),
        _drift(result['drift'])]
    return '\n\n'.join(part for part in parts if part)


def _drag_success(name: str, values: dict[str, Any]) -> list[str]:
    return [
        name, _share(values['success']),
        *(f'{100 * values[key]:.0f}%' for key in ('arrived', 'left_source', 'kept_area')),
        *(_number(values[key], 2) for key in (
            'median_error_px', 'median_moved_share', 'median_left_share', 'median_area_ratio')),
        *(_number(values[key], 1) for key in ('median_psnr_db', 'median_moving_psnr_db'))]


def _published(name: str, values: dict[str, Any]) -> list[str]:
    """A row of the published measures."""
    return [
        name, _number(values['median_objmc_px'], 2), f'{100 * values["lost_share"]:.0f}%',
        *(f'{dai:.3f}' for dai in values['mean_dai']),
        _number(values['median_background_psnr_db'], 1), _number(values['median_flow_warp'], 1),
        _number(values['median_secs'], 2)]


def _by_class(
    summary: dict[str, Any], what: str, cell: Callable[[dict[str, Any]], str]
) -> str:
    """A row for each group of drags, a column for each system."""
    systems = list(summary['all']['systems'])
    rows = [
        [f'{group} ({next(iter(found["systems"].values()))["n"]})',
         *(cell(found['systems'][name]) for name in systems)]
        for group, found in summary.items()]
    return table([f'drags: {what}', *systems], rows)


def _drag_lines(found: dict[str, Any]) -> list[str]:
    error = found['locator_error_px']
    lines = [] if error is None else [
        f'  the locator itself, in true frames half way: {error["value"]:.2f} px off']
    return lines + [
        f'  {name} minus undragged, in lengths, paired median: {_interval(gain)}'
        for name, gain in found['gain_over_undragged'].items()]


def _minus_guidance(systems: dict[str, Any]) -> str:
    """A row for each system; nothing where guidance was not measured."""
    units = {'succeeded': 0.01}
    rows = [
        [name, *('-' if found is None else _interval(found, units.get(measure, 1.0))
                 for measure, found in differences.items())]
        for name, differences in systems.items()]
    return table(['drags: less guidance [95%]', 'success, points', 'error px', 'ObjMC px',
                  'moving dB', 'background dB'], rows) if rows else ''


def _rates(result: dict[str, Any]) -> str:
    """A row for each setting; the best of each profile is marked."""
    best = result['best']
    rows = [
        [f'{row["profile"]}{" *" if row == best.get(row["profile"]) else ""}',
         '-' if row['rate'] is None else f'{row["rate"]:g}', str(row['iterations']),
         f'{100 * row["success"]:.0f}%', _number(row['error_px'], 1), _number(row['moved'], 2),
         _number(row['moving_psnr_db'], 1),
         '-' if row['objmc_px'] is None else _interval(row['objmc_px']),
         f'{100 * row["lost"]:.0f}%', _number(row['secs'], 2)]
        for row in result['rows']]
    return table([f'rates ({result["drags"]} drags)', 'rate', 'iterations', 'success', 'error px',
                  'moved', 'moving', 'ObjMC px [95%]', 'lost', 's per s'], rows)


def _drift(systems: dict[str, Any]) -> str:
    rows = [
        [f'{name}, chunk {look["chunk"]}', _number(look['sharpness'], 2),
         '-' if look['objects_kept'] is None else f'{100 * look["objects_kept"]:.0f}%',
         _number(look['frechet'], 2)]
        for name, looks in systems.items() for look in looks]
    return table(['drags: again and again', 'sharpness', 'objects kept', 'Frechet-VAE'], rows)


def _number(value: float | None, digits: int) -> str:
    return '-' if value is None else f'{value:.{digits}f}'


def _model(result: dict[str, Any]) -> str:
    parts = _scenes(result, '')
    if result['caused'] is not None:
        parts += _scenes(result['caused'], ', where grippers move all that moves')
    return '\n\n'.join([*parts, _side_motion(result['side_motion']), _free_run(result['free_run'])])


def _scenes(result: dict[str, Any], which: str) -> list[str]:
    return [*(_quality(result['quality'], where, which) for where in ('all', 'moving')),
            _objects(result['objects'], which)]


def _quality(quality: dict[str, Any], where: str, which: str) -> str:
    rows = [
        [f'{name} {found["secs"]:g} s', f'{found["median_psnr_db"]:.1f}',
         _interval(found['gain_db']), f'{found["median_ssim"]:.3f}',
         f'{found["median_sharpness"]:.2f}', str(found['n'])]
        for name, times in quality[where].items() for found in times if found['n']]
    return table([f'model: {where} pixels{which}', 'PSNR', 'over copy_last [95%]', 'SSIM',
                  'sharpness', 'scenes'], rows)


def _objects(objects: dict[str, Any], which: str) -> str:
    rows = [
        [name, *(_share(found[key]) for key in ('kept', 'lost')),
         f'{found["median_area_ratio"]:.2f}', str(found['n'])]
        for name, found in objects['systems'].items()]
    text = table([f'model: objects at the end{which}', 'area kept [95%]', 'lost [95%]', 'area x',
                  'objects'], rows)
    measure = objects['measure']
    return text if measure is None else (
        f'{text}\n  of {objects["n_seen"]} that are seen; the counting itself, in true frames half '
        f'way: {100 * measure["within_tolerance"]:.0f}% within 30 %, '
        f'median error {100 * measure["median_error"]:.1f} %')


def _side_motion(systems: dict[str, Any]) -> str:
    rows = [
        [name, '-' if found['median_px'] is None else f'{found["median_px"]["value"]:.2f}',
         '-' if found['p95_px'] is None else f'{found["p95_px"]:.2f}',
         '-' if found['displaced_share'] is None else f'{100 * found["displaced_share"]:.0f}%',
         f'{100 * found["lost_share"]:.0f}%', str(found['n'])]
        for name, found in systems.items()]
    return table(['model: still objects', 'median px', 'p95 px', 'over 1 px', 'lost', 'objects'],
                 rows)


def _free_run(result: dict[str, Any]) -> str:
    rows = [
        [f'{name} {found["secs"]:g} s', f'{found["median_sharpness"]:.2f}',
         f'{found["median_drift"]:.2f}',
         *(('-', '-') if found['objects'] is None else (
             f'{found["objects"]["median_area_ratio"]:.2f}',
             f'{100 * found["objects"]["kept_share"]:.0f}% of {found["objects"]["n"]}'))]
        for name in ('truth', 'free_running') for found in result[name]]
    return table([f'model: free run, {len(result["seeds"])} scenes', 'sharpness', 'drift',
                  'area x', 'area kept'], rows)


def _speed(result: dict[str, Any]) -> str:
    parts = ('encode', 'condition', 'denoise', 'guide', 'commit', 'decode', 'total')
    rows = [
        [name, f'{values["predicted_secs_per_sec"]:.2f}',
         f'{values["predicted_secs_per_cpu_sec"]:.2f}',
         *(f'{values["ms_per_prediction"][part]["p50"]:.0f} / '
           f'{values["ms_per_prediction"][part]["p95"]:.0f}' for part in parts)]
        for name, values in result.items()]
    return table(['speed', 's per s', 's per CPU s',
                  *(f'{part} ms p50/p95' for part in parts)], rows)


def _flat(result: dict[str, Any]) -> str:
    rows = [
        [name, str(values['chunks']), f'{values["mean_ms_per_chunk"]:.1f}',
         _interval(values['slope_us_per_chunk']),
         _interval(values['slope_resident_bytes_per_chunk'], 1024),
         f'{values["resident_mib"]["first"]:.1f} -> {values["resident_mib"]["last"]:.1f}',
         f'{values["context_bytes"]["last"] / 1024:.0f}']
        for name, values in result.items()]
    return table(['flat', 'chunks', 'ms per chunk', 'slope us/chunk', 'slope KiB/chunk',
                  'resident MiB', 'context KiB'], rows)


def _ros(result: dict[str, Any]) -> str:
    total, ros = result['image_to_prediction_ms'], result['ros_ms']
    service = result['parameter_service_ms']
    return '\n'.join([
        f'ros: {result["predictions"]} predictions, {result["dragged_predictions"]} dragged, '
        f'camera {result["camera_hz"]:.1f} Hz, '
        f'{result["predicted_secs_per_sec"]:.2f} predicted s per s',
        f'  image to prediction: p50 {total["p50"]:.1f} ms, p95 {total["p95"]:.1f}; of that '
        f"ROS's own: p50 {ros['p50']:.1f}, p95 at most {ros['p95']:.1f}",
        f'  longest callback: {result["longest_callback_ms"]:.1f} ms',
        f'  parameter service, {result["parameter_calls"]} calls: p50 {service["p50"]:.1f} ms, '
        f'max {service["max"]:.1f}',
        f'  problems: {"; ".join(result["problems"]) or "none"}'])


def _console(result: dict[str, Any]) -> str:
    answer = result['drag_to_first_frame_secs']
    return '\n'.join([
        f'console: {result["drags"]} drags, {result["refused_drags"]} of them refused, '
        f'camera {result["camera_hz"]:.1f} pictures/s on a page',
        f'  drag to first predicted frame: p50 {answer["p50"]:.2f} s, p95 {answer["p95"]:.2f}',
        f'  {result["idle_pages"]} idle pages cost the predictor '
        f'{_share(result["cost_of_idle_pages"])} of its rate; '
        f'each takes {result["idle_camera_hz"]:.1f} pictures/s or more',
        f'  for them the console takes {_share(result["console_cores"])} of a core; '
        f'they themselves, here on the same machine, {_share(result["pages_own_cores"])}'])


def _footage(result: dict[str, Any]) -> str:
    rows = [
        [f'{found["bag_secs"]:g} s, {found["pictures"]} pictures', str(found['starts']),
         f'{found["taken_secs"]:.0f}', f'{found["peak_memory_mb"]["reading"]:.0f}',
         f'{found["peak_memory_mb"]["judging"]:.0f}']
        for found in result.values()]
    return table(['footage: a bag of', 'starts', 'took s', 'MB to read', 'MB to judge, each'], rows)


TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    'drags': _drags, 'rates': _rates, 'model': _model, 'plan': plan_tables,
    'goals': goal_tables, 'speed': _speed, 'flat': _flat, 'ros': _ros,
    'console': _console, 'footage': _footage}
