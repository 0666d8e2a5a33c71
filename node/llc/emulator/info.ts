/** The `info` directory of the emulated filesystem: what the hardware can do, and the status of the last command. */

import { formatMask, fullMask } from '../masks.ts';
import type { Errno } from '../resctrl/port.ts';
import type { Schema } from './controls.ts';
import { COUNTERS, type MountedKernel } from './kernel.ts';
import type { Directory, Entries, FileNode } from './nodes.ts';
import { parseUnsigned } from './numbers.ts';

export function infoDirectory(kernel: MountedKernel): Directory {
  const entries: Entries = new Map([['last_cmd_status', () => ({ read: () => kernel.parts.status.read() })]]);
  for (const schema of kernel.controls.schemas) {
    const files = schema.kind === 'cache' ? cacheFiles(kernel, schema) : bandwidthFiles(kernel, schema);
    entries.set(schema.name, () => ({ entries: () => files }));
  }
  if (kernel.monitors) entries.set('L3_MON', () => ({ entries: () => monitoringFiles(kernel) }));
  return { entries: () => entries };
}

function cacheFiles(kernel: MountedKernel, schema: Schema): Entries {
  const { machine } = kernel.parts;
  const files: Entries = new Map([
    ['bit_usage', text(() => kernel.controls.formatBitUsage(schema, kernel.groups()))],
    ['cbm_mask', text(() => `${formatMask(fullMask(machine.ways))}\n`)],
    ['min_cbm_bits', text(() => `${machine.minCbmBits}\n`)],
    ['num_closids', text(() => `${schema.closids}\n`)],
    ['shareable_bits', text(() => `${formatMask(machine.shareableBits)}\n`)],
  ]);
  if (machine.tellsSparseMasks)
    files.set(
      'sparse_masks',
      text(() => `${Number(machine.sparseMasks)}\n`),
    );
  return files;
}

function bandwidthFiles(kernel: MountedKernel, schema: Schema): Entries {
  const { mba } = kernel.parts.machine;
  return new Map([
    ['bandwidth_gran', text(() => `${mba?.granularity ?? 0}\n`)],
    ['delay_linear', text(() => '1\n')],
    ['min_bandwidth', text(() => `${mba?.minBandwidth ?? 0}\n`)],
    ['num_closids', text(() => `${schema.closids}\n`)],
  ]);
}

function monitoringFiles(kernel: MountedKernel): Entries {
  const threshold: FileNode = {
    read: () => `${kernel.parts.rmids.thresholdBytes}\n`,
    write: (written) => writeThreshold(kernel, written),
  };
  return new Map([
    ['max_threshold_occupancy', () => threshold],
    ['mon_features', text(() => COUNTERS.map((counter) => `${counter}\n`).join(''))],
    ['num_rmids', text(() => `${kernel.parts.machine.rmids}\n`)],
  ]);
}

/** Bytes, at most one cache; says nothing in the status, and clears nothing there. */
function writeThreshold(kernel: MountedKernel, written: string): Errno | null {
  const { machine, rmids } = kernel.parts;
  const bytes = parseUnsigned(written, 0);
  if (bytes === null || bytes > machine.ways * machine.wayBytes) return 'EINVAL';
  rmids.thresholdBytes = bytes;
  return null;
}

function text(read: () => string): () => FileNode {
  return () => ({ read });
}
