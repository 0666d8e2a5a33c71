/** Why resctrl can or can't be used, told from /proc and the mount of made-up machines. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { detectResctrl } from '../../../node/llc/resctrl/detect.ts';

interface FakeKernel {
  readonly flags?: string;
  readonly vendor?: string;
  readonly model?: number;
  readonly registered?: boolean;
  readonly cmdline?: string;
  readonly mount?: string;
  /** Files below the mount point, by path. */
  readonly files?: Readonly<Record<string, string>>;
}

const L3 = { schemata: 'L3:0=ffff\n', 'info/L3/num_closids': '16\n' };
const ROOT = '/sys/fs/resctrl';
const mountLine = (point = ROOT, options = 'rw,relatime') => `resctrl ${point} resctrl ${options} 0 0\n`;

async function detect(kernel: FakeKernel) {
  const prefix = await mkdtemp(join(tmpdir(), 'fsched-detect-'));
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(prefix, path)), { recursive: true });
    await writeFile(join(prefix, path), text);
  };
  try {
    const vendor = kernel.vendor ?? 'GenuineIntel';
    const cpu = `vendor_id\t: ${vendor}\ncpu family\t: 6\nmodel\t\t: ${kernel.model ?? 106}\n`;
    await write('proc/cpuinfo', `processor\t: 0\n${cpu}flags\t\t: fpu ${kernel.flags ?? ''} sse\n\n`);
    const registered = kernel.registered === false ? '' : 'nodev\tresctrl\n';
    await write('proc/filesystems', `nodev\tsysfs\n${registered}\text4\n`);
    await write('proc/cmdline', `BOOT_IMAGE=/vmlinuz ro ${kernel.cmdline ?? ''}\n`);
    await write('proc/mounts', `sysfs /sys sysfs rw 0 0\n${kernel.mount ?? ''}`);
    const point = kernel.mount?.split(' ')[1] ?? ROOT;
    for (const [path, text] of Object.entries(kernel.files ?? {})) await write(join(point, path), text);
    const detection = await detectResctrl({ procRoot: join(prefix, 'proc'), mountPrefix: prefix });
    return { ...detection, message: detection.message.replaceAll(prefix, '') };
  } finally {
    await rm(prefix, { recursive: true });
  }
}

describe('detection of resctrl', () => {
  test('takes what is mounted and allocates', async () => {
    const found = await detect({ flags: 'cat_l3', mount: mountLine(), files: L3 });
    assert.equal(found.kind, 'usable');
    assert.ok(found.kind === 'usable' && found.root.endsWith(ROOT) && !found.cdp);
  });

  test('takes it wherever it is mounted, with CDP, and without the flag (Haswell)', async () => {
    const files = { schemata: '', 'info/L3DATA/num_closids': '2\n', 'info/L3CODE/num_closids': '2\n' };
    const found = await detect({ mount: mountLine('/mnt/resctrl', 'rw,cdp'), files });
    assert.ok(found.kind === 'usable' && found.root.endsWith('/mnt/resctrl') && found.cdp);
  });

  test('tells how to mount it', async () => {
    const found = await detect({ flags: 'cat_l3' });
    assert.equal(found.kind, 'not-mounted');
    assert.match(found.message, /run "mount -t resctrl resctrl \/sys\/fs\/resctrl"/);
    assert.equal((await detect({ model: 63 })).kind, 'not-mounted');
  });

  test('tells that only root may change it, and that a mount may be read-only', async () => {
    const readOnly = await detect({ mount: mountLine(ROOT, 'ro'), files: L3 });
    assert.equal(readOnly.kind, 'not-permitted');
    assert.match(readOnly.message, /as root/);
  });

  test('is not taken in by rdtscp', async () => {
    const found = await detect({ flags: 'rdtscp rdt_a mba', registered: false });
    assert.equal(found.kind, 'cpu-lacks-cat');
    assert.doesNotMatch(found.message, /hypervisor/);
    assert.match((await detect({ flags: 'hypervisor', registered: false })).message, /hypervisor/);
  });

  test('knows a kernel that was built without it', async () => {
    const found = await detect({ flags: 'cat_l3', registered: false });
    assert.equal(found.kind, 'kernel-lacks-resctrl');
    assert.match(found.message, /CONFIG_X86_CPU_RESCTRL/);
  });

  test('knows that Skylake-X wants a boot option', async () => {
    const files = { schemata: 'MB:0=100\n', 'info/MB/num_closids': '8\n' };
    const skylake = { flags: 'cat_l3', model: 85 };
    for (const kernel of [
      skylake,
      { ...skylake, registered: false },
      { ...skylake, mount: mountLine(), files },
    ]) {
      const found = await detect(kernel);
      assert.equal(found.kind, 'disabled-at-boot');
      assert.match(found.message, /rdt=l3cat/);
    }
    assert.equal((await detect({ ...skylake, cmdline: 'rdt=cmt,l3cat' })).kind, 'not-mounted');
    assert.equal((await detect({ ...skylake, vendor: 'AuthenticAMD' })).kind, 'not-mounted');
    assert.equal((await detect({ flags: 'cat_l3', cmdline: 'rdt=!l3cat' })).kind, 'disabled-at-boot');
  });

  test('tells a mount that only monitors or throttles from one that allocates cache', async () => {
    const files = { schemata: 'MB:0=100\n', 'info/MB/num_closids': '8\n', 'info/L3_MON/num_rmids': '64\n' };
    assert.equal((await detect({ mount: mountLine(), files })).kind, 'no-l3-allocation');
  });

  test('needs a CLOSID beside that of the root group', async () => {
    const files = { ...L3, 'info/L3/num_closids': '1\n' };
    assert.equal((await detect({ mount: mountLine(), files })).kind, 'no-free-closids');
  });

  test('says something of a machine that tells nothing', async () => {
    const found = await detectResctrl({ procRoot: '/nowhere' });
    assert.equal(found.kind, 'cpu-lacks-cat');
  });
});
