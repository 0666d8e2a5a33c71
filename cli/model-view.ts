/** The model and its versions, and an explanation, in words for people. */
import type { DroppedJson, ExplanationJson, ModelJson, VersionJson } from '../node/rest/schemas/predictor.ts';
import { formatAge, formatBytes, formatSeconds, plural } from './format.ts';
import { drawExplanation } from './plot.ts';
import { type Column, formatPairs, formatTable, type Pair } from './table.ts';

type Row = VersionJson | DroppedJson;

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const figure = (value: number): string => String(Number(value.toPrecision(4)));

const SCORES: readonly Column<Row>[] = [
  { title: 'FROM', value: ({ base }) => String(base), align: 'right' },
  { title: 'LOSS', value: ({ after }) => figure(after.loss), align: 'right' },
  { title: 'BEFORE', value: ({ before }) => figure(before.loss), align: 'right' },
  { title: 'WITHIN 5 %', value: ({ after }) => percent(after.within), align: 'right' },
  { title: 'WAYS', value: ({ after }) => `${after.ways_ratio.toFixed(2)}x`, align: 'right' },
  { title: 'TASKS', value: ({ learned }) => String(learned.tasks), align: 'right' },
  { title: 'TRAINED', value: ({ trained_at }) => formatAge(Date.now() - Date.parse(trained_at)) },
];

export function describeModel(model: ModelJson): readonly string[] {
  const versions: readonly Column<VersionJson>[] = [
    { title: '', value: ({ version }) => (version === model.current ? '→' : '') },
    { title: 'VERSION', value: ({ version }) => String(version), align: 'right' },
    ...SCORES,
  ];
  return [
    ...formatPairs([
      ['model', `${model.model}, version ${model.version}`],
      ['what it is', model.description],
      ['generosity', String(model.generosity)],
      ['current', describeCurrent(model)],
      ['training', describeTraining(model.training)],
    ]),
    ...(model.versions.length === 0 ? [] : ['', ...formatTable(model.versions, versions)]),
    ...(model.dropped.length === 0
      ? []
      : ['', 'Dropped, because they were no better:', ...formatTable(model.dropped, SCORES)]),
    '',
    ...formatTable(model.nodes, [
      { title: 'NODE', value: (node) => node.name, cut: 'end' },
      { title: 'STATE', value: (node) => (node.alive ? 'up' : 'down') },
      { title: 'HOLDS', value: (node) => (node.version === null ? 'no weights' : `version ${node.version}`) },
      { title: 'PEER ID', value: (node) => node.id, cut: 'middle' },
    ]),
  ];
}

function describeCurrent({ current, nodes }: ModelJson): string {
  const holding = nodes.filter(({ version }) => (version ?? 0) === current).length;
  const what = current === 0 ? 'what the program ships with' : `version ${current}`;
  const held =
    holding === nodes.length ? 'held by every node' : `held by ${holding} of ${nodes.length} nodes`;
  return `${what}, ${held}`;
}

function describeTraining({ running, last }: ModelJson['training']): string {
  const began =
    running && `running since ${formatAge(Date.now() - Date.parse(running.since)).replace(' ago', '')}`;
  const now =
    running && `${began}, on ${plural(running.points, 'point')} of ${plural(running.tasks, 'task')}`;
  return [now, last].filter((part) => part !== null).join('; last: ') || 'none yet';
}

export function describeExplanation(explained: ExplanationJson): readonly string[] {
  const { cache, ways, needed, model, full_cache_seconds: seconds, drift } = explained;
  const granted = needed === null || needed === ways ? '' : ` (${needed} needed)`;
  const version = model.version === null ? '' : `, version ${model.version}`;
  const pairs: Pair[] = [
    ['ways', `${ways} of ${cache.ways} × ${formatBytes(cache.way_bytes)}${granted}`],
    ['why', explained.why],
    ['allowed', `${explained.max_slowdown.toFixed(2)}x`],
  ];
  if (explained.expected_slowdown !== null && explained.at_most !== null) {
    const atMost = `surely at most ${explained.at_most.toFixed(2)}x`;
    pairs.push(['slowdown', `${explained.expected_slowdown.toFixed(2)}x expected, ${atMost}`]);
  }
  if (seconds !== null) pairs.push(['whole cache', `${formatSeconds(seconds)} expected`]);
  pairs.push(
    ['generosity', figure(explained.generosity)],
    ['mode', explained.mode],
    ['model', `${model.name}${version}`],
    ['known', describeEvidence(explained)],
  );
  if (drift !== null) pairs.push(['drift', `since ${drift.since} ${drift.message}`]);
  const head = `${explained.function} at input size ${explained.input_size}`;
  const drawn = drawExplanation(explained);
  return [head, ...(drawn.length === 0 ? [] : [...drawn, '']), ...formatPairs(pairs)];
}

function describeEvidence({ measured }: ExplanationJson): string {
  const parts = measured.map(({ input_size, profiler, origin, points, weight }) => {
    const what = origin === 'benchmark' ? profiler : profiler === 'run' ? 'runs in held ways' : 'runs';
    const counts = weight < 1 ? `, counts ${percent(weight)}` : '';
    return `${plural(points.length, 'point')} at ${input_size} by ${what}${counts}`;
  });
  return parts.join('; ') || 'nothing';
}
