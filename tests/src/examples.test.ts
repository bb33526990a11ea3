/** The examples of docs/examples, run as their READMEs say, on a real server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type DevServer, startDevServer } from '@perdure/dev-server';

const exec = promisify(execFile);
const root = join(__dirname, '..', '..');
const example = (name: string) => join(root, 'docs', 'examples', name);

let server: DevServer;

beforeAll(async () => {
  server = await startDevServer();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const name of ['hello', 'counter', 'activities-only', 'sessions'])
    await exec(process.execPath, [tsc, '-p', example(name)]);
}, 120_000);

afterAll(() => server?.stop());

interface ExampleWorker {
  readonly process: ChildProcess;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

function startWorker(name: string, file = 'worker.js'): ExampleWorker {
  const child = spawn(process.execPath, [join(example(name), 'lib', file)], {
    env: { ...process.env, TEMPORAL_ADDRESS: server.address },
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

async function runClient(name: string, args: string[] = []): Promise<string> {
  const { stdout } = await exec(process.execPath, [join(example(name), 'lib', 'client.js'), ...args], {
    env: { ...process.env, TEMPORAL_ADDRESS: server.address },
    timeout: 60_000,
  });
  return stdout;
}

async function withWorker(
  name: string,
  body: (worker: ExampleWorker) => Promise<void>,
  file?: string,
): Promise<void> {
  const worker = startWorker(name, file);
  try {
    await body(worker);
  } catch (error) {
    throw new Error(`${(error as Error).message}\nthe worker said:\n${worker.log()}`, { cause: error });
  } finally {
    worker.process.kill('SIGKILL');
    await worker.ended;
  }
}

describe('examples', () => {
  it('hello greets the name it is given, and its worker ends with status 0 on SIGTERM', async () => {
    await withWorker('hello', async (worker) => {
      expect(await runClient('hello', ['Ada'])).toContain('result: Hello, Ada!');
      worker.process.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
    });
  }, 90_000);

  it('hello started while no worker is up finishes once one is', async () => {
    const result = runClient('hello', ['Grace']);
    await withWorker('hello', async () => {
      expect(await result).toContain('result: Hello, Grace!');
    });
  }, 90_000);

  it('counter adds up its signals and answers its query', async () => {
    await withWorker('counter', async () => {
      const output = await runClient('counter');
      expect(output).toContain('current: 12');
      expect(output).toContain('result: 12');
    });
  }, 90_000);

  describe.each(['worker.js', 'worker-native.js'])('activities-only, with %s', (file) => {
    it('counts, stops when asked to, and goes on in another worker after SIGTERM', async () => {
      let unfinished: Promise<string> | undefined;
      await withWorker(
        'activities-only',
        async (worker) => {
          expect(await runClient('activities-only', ['3'])).toContain('result: counted to 3 in attempt 1');
          expect(await runClient('activities-only', ['600', 'cancel'])).toContain('cancelled');
          const before = worker.log().length;
          unfinished = runClient('activities-only', ['30']);
          await until(() => worker.log().slice(before).includes('counting'));
          worker.process.kill('SIGTERM'); // 1 s of grace is not enough for it
          expect(await worker.ended).toBe(0);
        },
        file,
      );
      await withWorker(
        'activities-only',
        async (worker) => {
          expect(await unfinished).toContain('result: counted to 30 in attempt 2');
          worker.process.kill('SIGTERM');
          expect(await worker.ended).toBe(0);
        },
        file,
      );
    }, 90_000);
  });

  it('sessions does all its work on one host, and again on another when that is killed', async () => {
    const hosts = [startWorker('sessions'), startWorker('sessions')];
    try {
      await until(() => hosts.every((host) => host.log().includes('RUNNING')));
      expect(await runClient('sessions')).toMatch(/result: 3 lines, all on host/);
      const slow = runClient('sessions', ['slow']);
      const said = hosts.map((host) => host.log().length);
      const busy = () => hosts.find((host, i) => host.log().slice(said[i]).includes('downloading'));
      await until(() => busy() !== undefined);
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
  }, 90_000);
});

async function until(condition: () => boolean): Promise<void> {
  for (const endMs = Date.now() + 30_000; !condition(); ) {
    if (Date.now() > endMs) throw new Error('gave up waiting');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
