/** Plays a transcript of a real kernel against the emulator and compares every answer. */
import assert from 'node:assert/strict';
import type { EmulatedResctrl } from '../../node/llc/emulator/emulator.ts';
import type { EmulatedMachine } from '../../node/llc/emulator/machine.ts';
import { ResctrlError } from '../../node/llc/resctrl/port.ts';
import { create, emulate, groupsOf, rename, SimulatedProcesses, unlink } from './paper-machine.ts';
import { parseTranscript, type TranscriptStep } from './transcript.ts';

/** The recorded machine's counters never changed: each RMID had so many bytes in each domain. */
const OCCUPANCY_OF_EACH_RMID = 2_293_760;

type Step<K extends TranscriptStep['kind']> = Extract<TranscriptStep, { kind: K }>;

/** What the transcript itself tells of the machine that it was recorded on. */
export function machineOf(steps: readonly TranscriptStep[]): EmulatedMachine {
  const caches = steps.filter((step) => step.kind === 'cache');
  const [first] = caches;
  const header = steps.find((step) => step.kind === 'header');
  const flags = steps.find((step) => step.kind === 'flags')?.flags ?? [];
  assert.ok(first !== undefined && header !== undefined, 'a transcript tells its machine');
  const cdp = header.options.includes('cdp');
  const info = (name: string) => {
    const path = `info/${cdp ? 'L3CODE' : 'L3'}/${name}`;
    return recorded(steps, path) ?? recorded(steps, `info/L3_MON/${name}`) ?? '';
  };
  return {
    vendor: header.vendor,
    domains: [...Map.groupBy(caches, (cache) => cache.id)].map(([id, members]) => ({
      id,
      cpus: members.map((cache) => cache.cpu),
    })),
    ways: first.ways,
    wayBytes: (first.sizeKib * 1024) / first.ways,
    closids: Number(info('num_closids')) * (cdp ? 2 : 1),
    rmids: Number(info('num_rmids')),
    shareableBits: Number.parseInt(info('shareable_bits'), 16),
    cdpCapable: flags.includes('cdp_l3'),
    maxThresholdOccupancy: Number(info('max_threshold_occupancy')),
  };
}

function recorded(steps: readonly TranscriptStep[], path: string): string | null {
  return (
    steps
      .find((step) => step.kind === 'content' && step.path === path && step.content !== null)
      ?.text.split('"')[1]
      ?.replace('\\n', '') ?? null
  );
}

export class Replay {
  readonly steps: readonly TranscriptStep[];
  readonly #processes = new SimulatedProcesses();
  readonly #emulator: EmulatedResctrl;
  readonly #isCdp: boolean;
  readonly #infoFiles = new Set<string>();
  readonly #rootNames: string[] = [];
  /** The process that the transcript moves first, and the one whose threads it moves. */
  readonly #firstProcess: number;
  #threaded = 0;
  #lastMade = '';

  constructor(transcript: string) {
    this.steps = parseTranscript(transcript);
    const header = this.steps.find((step) => step.kind === 'header');
    this.#isCdp = header?.options.includes('cdp') ?? false;
    this.#emulator = emulate(
      { machine: machineOf(this.steps), cdp: this.#isCdp, limboMs: Number.POSITIVE_INFINITY },
      {
        processes: this.#processes,
        counters: ({ counter }) => (counter === 'llc_occupancy' ? OCCUPANCY_OF_EACH_RMID : 0),
      },
    );
    const first = this.steps.find((step) => step.kind === 'command' && step.path === 'g1/tasks');
    assert.ok(first?.kind === 'command');
    this.#firstProcess = this.#processes.fork(1, Number(first.argument));
  }

  /** @throws AssertionError where the emulator answers otherwise than the kernel did */
  async play(step: TranscriptStep): Promise<void> {
    switch (step.kind) {
      case 'header':
      case 'flags':
      case 'filesystems':
      case 'cache':
        return; // The machine was built from these.
      case 'before-mount':
        return this.#beforeMount(step);
      case 'mounted':
        return this.#mounted(step);
      case 'permissions':
        return this.#permissions(step);
      case 'content':
        return this.#content(step);
      case 'command':
        return this.#command(step);
      case 'files':
        return assert.deepEqual(await this.#emulator.list(this.#lastMade), step.names);
      case 'writer-ended':
        return assert.deepEqual(await this.#tidsIn('g2/tasks'), [this.#firstProcess]);
      case 'child':
        return this.#child(step);
      case 'thread':
        return this.#thread(step);
      case 'whereabouts':
        assert.equal(count(await this.#tidsIn('tasks'), step.tid), step.inRoot);
        return assert.equal(count(await this.#tidsIn('g1/tasks'), step.tid), step.inGroup);
      case 'proc-groups': {
        const { control, monitor } = step;
        return assert.deepEqual(await groupsOf(this.#emulator, this.#firstProcess), { control, monitor });
      }
      case 'flock':
        return this.#flock(step);
      case 'back-in-root':
        return assert.equal(count(await this.#tidsIn('tasks'), this.#threaded), step.count);
      case 'fill':
        return this.#fill(step);
      case 'remounted':
        return this.#remounted(step);
    }
  }

  async #beforeMount(step: Step<'before-mount'>): Promise<void> {
    this.#emulator.unmount();
    assert.equal((await this.#emulator.list('')).length, step.files);
  }

  async #mounted(step: Step<'mounted'>): Promise<void> {
    this.#emulator.mount({ cdp: step.mount.includes(',cdp') });
    assert.equal(step.mount.includes(',cdp'), this.#isCdp);
    assert.equal((await this.#emulator.list('info')).includes('L3CODE'), this.#isCdp);
  }

  async #permissions({ permissions, name }: Step<'permissions'>): Promise<void> {
    this.#rootNames.push(name);
    const names = await this.#emulator.list('');
    assert.ok(names.includes(name));
    if (permissions.startsWith('d')) await this.#emulator.list(name);
    else await this.#emulator.read(name);
    if (permissions === '-r--r--r--') assert.equal(await errnoOf(this.#emulator.write(name, '\n')), 'EACCES');
  }

  async #content({ path, content }: Step<'content'>): Promise<void> {
    if (content === null) return assert.equal(await errnoOf(this.#emulator.read(path)), 'ENOENT');
    if (path === 'schemata' && this.#rootNames.length > 0) await this.#nothingLeftOut();
    // The recorder ended its processes before it looked at g2 for the last time.
    if (path === 'g2/tasks' && content === '') this.#endAll();
    assert.equal(await this.#emulator.read(path), content);
    if (path.startsWith('info/')) this.#infoFiles.add(path);
  }

  /** The listings before the first command name every file of the root and of info. */
  async #nothingLeftOut(): Promise<void> {
    assert.deepEqual(await this.#emulator.list(''), this.#rootNames.splice(0));
    const files: string[] = [];
    for (const name of await this.#emulator.list('info')) {
      if (name === 'last_cmd_status') files.push(`info/${name}`);
      else for (const file of await this.#emulator.list(`info/${name}`)) files.push(`info/${name}/${file}`);
    }
    assert.deepEqual(files.sort(), [...this.#infoFiles].sort());
  }

  async #command(step: Step<'command'>): Promise<void> {
    assert.equal(await errnoOf(this.#perform(step)), step.result);
    assert.equal(await this.#lastStatus(), step.last);
  }

  async #perform({ verb, path, argument }: Step<'command'>): Promise<void> {
    switch (verb) {
      case 'mkdir':
        this.#lastMade = path;
        return this.#emulator.mkdir(path);
      case 'rmdir':
        return this.#emulator.rmdir(path);
      case 'rename':
        return rename(this.#emulator, path);
      case 'creat':
        return create(this.#emulator, path);
      case 'unlink':
        return unlink(this.#emulator, path);
      case 'write':
        return this.#write(path, argument);
    }
  }

  /** 0 moves the writer, which ends right after. */
  async #write(path: string, text: string): Promise<void> {
    if (!(path.endsWith('tasks') && text === '0\n')) return this.#emulator.write(path, text);
    const writer = this.#processes.fork();
    this.#processes.actAs(writer);
    await this.#emulator.write(path, text);
    assert.ok((await this.#tidsIn(path)).includes(writer));
    this.#processes.exit(writer);
    this.#processes.actAs(1);
  }

  async #child(step: Step<'child'>): Promise<void> {
    const child = this.#processes.fork(this.#firstProcess);
    assert.equal(count(await this.#tidsIn(step.path), child), step.count);
    this.#processes.exit(child);
  }

  async #thread({ role, tid }: Step<'thread'>): Promise<void> {
    if (role === 'main') this.#threaded = this.#processes.fork(1, tid);
    else this.#processes.clone(this.#threaded, tid);
    assert.equal(count(await this.#tidsIn('tasks'), tid), 1);
  }

  async #flock(step: Step<'flock'>): Promise<void> {
    let secondHolds = false;
    const second = await this.#emulator.locked(async () => {
      const promise = this.#emulator.locked(async () => {
        secondHolds = true;
      });
      await this.#emulator.list('');
      assert.equal(secondHolds ? 'ok' : 'EAGAIN', step.second);
      return { promise };
    });
    await second.promise;
    assert.equal(secondHolds ? 'ok' : 'EAGAIN', step.first);
  }

  async #fill({ what, made, next, result, last, lastIsWhole }: Step<'fill'>): Promise<void> {
    const names =
      what === 'control'
        ? Array.from({ length: made - 2 }, (_, index) => `g${index + 3}`)
        : Array.from({ length: made }, (_, index) => `mon_groups/r${index + 1}`);
    for (const name of names) await this.#emulator.mkdir(name);
    assert.equal(await errnoOf(this.#emulator.mkdir(next)), result);
    const status = await this.#lastStatus();
    assert.equal(lastIsWhole ? status : status.slice(0, last.length), last);
  }

  async #remounted(step: Step<'remounted'>): Promise<void> {
    this.#emulator.unmount();
    this.#emulator.mount({ cdp: this.#isCdp });
    const names = await this.#emulator.list('');
    assert.equal(names.filter((name) => /^g\d/.test(name)).length, step.groups);
    assert.deepEqual(await this.#emulator.list('mon_groups'), []);
  }

  #endAll(): void {
    if (this.#threaded !== 0) this.#processes.exit(this.#firstProcess);
  }

  async #tidsIn(path: string): Promise<number[]> {
    return (await this.#emulator.read(path)).split('\n').filter(Boolean).map(Number);
  }

  /** As the recorder wrote it: lines joined by a bar. */
  async #lastStatus(): Promise<string> {
    return (await this.#emulator.read('info/last_cmd_status')).trimEnd().replaceAll('\n', '|');
  }
}

const count = (tids: readonly number[], tid: number): number => tids.filter((other) => other === tid).length;

async function errnoOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    if (error instanceof ResctrlError) return error.code;
    throw error;
  }
}
