/** What was measured of a task at one input size: a plot, and a table with a bar for each way count. */
import type { TaskDetailJson } from '../node/rest/schemas/tasks.ts';
import { formatBytes, formatSeconds } from './format.ts';
import { drawCurve } from './plot.ts';
import { formatTable, wrap } from './table.ts';

type ProfileJson = TaskDetailJson['profiles'][number];
type PointJson = ProfileJson['points'][number];
const BAR_WIDTH = 40;

export function plotProfile(profile: ProfileJson): readonly string[] {
  const points = profile.points.map((point) => ({ ways: point.ways, seconds: point.mean_seconds ?? 0 }));
  return drawCurve(points, profile.ways);
}

export function describeProfile(profile: ProfileJson): readonly string[] {
  const slowest = Math.max(...profile.points.map(timeOf), Number.MIN_VALUE);
  const head = `input size ${profile.input_size}, by ${profile.profiler}, of ${profile.ways} ways × ${formatBytes(profile.way_bytes)}:`;
  return [
    head,
    ...(profile.note === null ? [] : wrap(`(${profile.note})`)),
    ...formatTable(
      profile.points.toSorted((a, b) => a.ways - b.ways),
      [
        { title: 'WAYS', value: (point) => String(point.ways), align: 'right' },
        { title: 'TIME', value: (point) => formatSeconds(timeOf(point)), align: 'right' },
        { title: 'SPREAD', value: spreadOf, align: 'right' },
        { title: '', value: (point) => '█'.repeat(Math.round((timeOf(point) / slowest) * BAR_WIDTH)) },
      ],
    ),
  ];
}

const timeOf = (point: PointJson): number => point.mean_seconds ?? 0;

/** Standard deviation as a share of the mean; nothing for a single execution. */
function spreadOf({ mean_seconds: mean, spread_seconds: spread }: PointJson): string {
  return spread === null || !mean ? '' : `± ${((spread / mean) * 100).toFixed(1)} %`;
}
