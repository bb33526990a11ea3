/** The examples of docs/examples, run as their READMEs say, on a real server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { serverAddress, until } from './support/harness';

const exec = promisify(execFile);
const root = join(__dirname, '..', '..');
const example = (name: string) => join(root, 'docs', 'examples', name);

/** Ends what hangs. */
const LIMIT_MS = 240_000;

/** What the hosts of the sessions leave behind when they are killed. */
const disk = mkdtempSync(join(tmpdir(), 'perdure-examples-'));

/** A server that no other file uses: the examples have task queues of fixed names. */
let server: DevServer;

interface ExampleWorker {
  readonly process: ChildProcess;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

/** The programs of one example, on one server. */
class Example {
  constructor(
    private readonly name: string,
    private readonly address: string,
  ) {}

  start(file = 'worker.js'): ExampleWorker {
    const child = spawn(process.execPath, [join(example(this.name), 'lib', file)], {
      env: { ...process.env, TEMPORAL_ADDRESS: this.address, TMPDIR: disk },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        log += chunk;
      });
    }
    return {
      process: child,
      log: () => log,
      ended: new Promise((resolve) => child.once('close', resolve)),
    };
  }

  async client(...args: string[]): Promise<string> {
    const { stdout } = await exec(process.execPath, [join(example(this.name), 'lib', 'client.js'), ...args], {
      env: { ...process.env, TEMPORAL_ADDRESS: this.address },
      timeout: LIMIT_MS / 2,
    });
    return stdout;
  }

  async withWorker(body: (worker: ExampleWorker) => Promise<void>, file?: string): Promise<void> {
    const worker = this.start(file);
    try {
      await body(worker);
    } catch (error) {
      throw new Error(`${(error as Error).message}\nthe worker said:\n${worker.log()}`, { cause: error });
    } finally {
      worker.process.kill('SIGKILL');
      await worker.ended;
    }
  }
}

const scenarios = {
  async 'hello greets the name it is given, and its worker ends with status 0 on SIGTERM'() {
    const hello = new Example('hello', server.address);
    await hello.withWorker(async (worker) => {
      expect(await hello.client('Ada')).toContain('result: Hello, Ada!');
      worker.process.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
    });
  },

  async 'hello started while no worker is up finishes once one is'() {
    const hello = new Example('hello', serverAddress());
    const result = hello.client('Grace');
    result.catch(() => undefined);
    await hello.withWorker(async () => {
      expect(await result).toContain('result: Hello, Grace!');
    });
  },

  async 'counter adds up its signals and answers its query'() {
    const counter = new Example('counter', server.address);
    await counter.withWorker(async () => {
      const output = await counter.client();
      expect(output).toContain('current: 12');
      expect(output).toContain('result: 12');
    });
  },

  'activities-only counts, stops when asked to, and goes on in another worker after SIGTERM': () =>
    counts(new Example('activities-only', server.address), 'worker.js'),

  'activities-only does so with the native worker': () =>
    counts(new Example('activities-only', serverAddress()), 'worker-native.js'),

  async 'sessions does all its work on one host, and again on another when that is killed'() {
    const sessions = new Example('sessions', server.address);
    const hosts = [sessions.start(), sessions.start()];
    try {
      await until(
        () => hosts.every((host) => host.log().includes('RUNNING')),
        'both hosts run',
        LIMIT_MS / 2,
      );
      expect(await sessions.client()).toMatch(/result: 3 lines, all on host/);
      const said = hosts.map((host) => host.log().length);
      const slow = sessions.client('slow');
      slow.catch(() => undefined);
      const busy = () => hosts.find((host, i) => host.log().slice(said[i]).includes('downloading'));
      await until(() => busy() !== undefined, 'a host downloads', LIMIT_MS / 2);
      const lost = busy()!;
      lost.process.kill('SIGKILL');
      expect(await slow).toMatch(/result: 3 lines, all on host/);
      const left = hosts.find((host) => host !== lost)!;
      left.process.kill('SIGTERM');
      expect(await left.ended).toBe(0);
    } finally {
      for (const host of hosts) host.process.kill('SIGKILL');
      await Promise.all(hosts.map((host) => host.ended));
    }
  },
} satisfies Record<string, () => Promise<void>>;

async function counts(counting: Example, file: string): Promise<void> {
  let unfinished: Promise<string> | undefined;
  await counting.withWorker(async (worker) => {
    // The server has an attempt of which it hears nothing for 2 s tried again, so there may be more than one.
    expect(await counting.client('3')).toMatch(/result: counted to 3 in attempt \d+/);
    expect(await counting.client('600', 'cancel')).toContain('cancelled');
    const before = worker.log().length;
    unfinished = counting.client('50');
    unfinished.catch(() => undefined);
    await until(() => worker.log().slice(before).includes('counting'), 'it counts', LIMIT_MS / 2);
    worker.process.kill('SIGTERM'); // 1 s of grace is not enough for it
    expect(await worker.ended).toBe(0);
  }, file);
  await counting.withWorker(async (worker) => {
    expect(await unfinished).toMatch(/result: counted to 50 in attempt ([2-9]|\d\d)/);
    worker.process.kill('SIGTERM');
    expect(await worker.ended).toBe(0);
  }, file);
}

/** Side by side, for they wait for each other more than they work. */
const running = new Map<string, Promise<void>>();

beforeAll(async () => {
  server = await startDevServer({ useExisting: false, startTimeoutMs: LIMIT_MS / 2 });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const name of ['hello', 'counter', 'activities-only', 'sessions'])
    await exec(process.execPath, [tsc, '-p', example(name)]);
  for (const [name, run] of Object.entries(scenarios)) {
    const outcome = run();
    outcome.catch(() => undefined);
    running.set(name, outcome);
  }
}, LIMIT_MS);

afterAll(async () => {
  await Promise.allSettled(running.values());
  await server?.stop();
  rmSync(disk, { recursive: true, force: true });
}, LIMIT_MS);

it.each(Object.keys(scenarios))('%s', (name) => running.get(name), LIMIT_MS);
