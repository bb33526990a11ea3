import { Worker as Thread } from 'node:worker_threads';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import fc from 'fast-check';
import type { ConnectionHandle, CoreError, RuntimeHandle, WorkerHandle } from '.';
import { connect, Events, native, openRuntime, unique, workerOptions } from './testing/hand-worker';

type Call = (...args: unknown[]) => unknown;
const functions = native as unknown as Record<string, Call>;

let server: DevServer;
let runtime: RuntimeHandle;
let connection: ConnectionHandle;
let worker: WorkerHandle;
let spent: WorkerHandle;
let closed: RuntimeHandle;

beforeAll(async () => {
  server = await startDevServer();
  runtime = openRuntime();
  connection = await connect(runtime, server.address);
  const open = () =>
    native.workerOpen(runtime, connection, workerOptions(unique('hostile')), new Events().listener);
  worker = open();
  spent = open();
  await native.workerFinalize(spent);
  closed = openRuntime();
  native.runtimeClose(closed);
}, 120_000);
afterAll(async () => {
  if (worker) await native.workerFinalize(worker);
  if (runtime) native.runtimeClose(runtime);
  await server?.stop();
});

/** What a call came to: 'ok' or a code. Fails on an error without one. */
async function outcome(name: string, args: readonly unknown[]): Promise<string> {
  try {
    await functions[name]!(...args);
    return 'ok';
  } catch (thrown) {
    const error = thrown as CoreError;
    if (typeof error?.code !== 'string' || !/^CORE_[A-Z_]+$/.test(error.code)) {
      throw new Error(`${name} failed without a code: ${String(thrown)}`, { cause: thrown });
    }
    if (error.code === 'CORE_PANICKED') throw new Error(`${name} panicked: ${error.message}`);
    return error.code;
  }
}

const random = fc.uint8Array({ maxLength: 64 });
/** Bytes that look like fields: a decoder goes further into them. */
const fields = fc
  .array(
    fc.record({ tag: fc.integer({ min: 1, max: 30 }), wire: fc.constantFrom(0, 1, 2, 5), body: random }),
    { maxLength: 4 },
  )
  .map((items) =>
    Uint8Array.from(
      items.flatMap(({ tag, wire, body }) => {
        const length = { 0: 1, 1: 8, 2: body.length, 5: 4 }[wire]!;
        const padded = Array.from({ length }, (_, index) => (body[index] ?? 0) & 0x7f);
        const head = (tag << 3) | wire;
        const key = head < 128 ? [head] : [(head & 0x7f) | 0x80, head >> 7];
        return wire === 2 ? [...key, length, ...padded] : [...key, ...padded];
      }),
    ),
  );
const bytes = fc.oneof(random, fields);
const junk = fc.oneof(
  bytes,
  fc.constantFrom(
    undefined,
    null,
    true,
    '',
    'text',
    0,
    -1,
    1.5,
    2 ** 40,
    Number.NaN,
    Infinity,
    7n,
    Symbol.iterator,
  ),
  fc.constantFrom<unknown>(
    {},
    [],
    [1, 'x'],
    [[]],
    () => undefined,
    new Date(),
    new ArrayBuffer(4),
    new Proxy({}, {}),
  ),
);

describe('native functions', () => {
  const names = Object.keys(functions).filter((name) => name !== 'version');

  it.each(names)('%s takes any values at all without harm', async (name) => {
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { maxLength: 5 }), async (args) => {
        await outcome(name, args);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it.each(names)('%s refuses handles of another kind', async (name) => {
    const handles: Record<string, unknown> = { runtime, connection, worker };
    const first = /^(runtime|connection|worker|replay|activity|nexus|codec|metric|slot)/.exec(name)?.[1];
    if (first === undefined) return expect(name).toMatch(/^lane/);
    const own = {
      runtimeOpen: '',
      connectionOpen: 'runtime',
      workerOpen: 'runtime',
      replayWorkerOpen: 'runtime',
    }[name];
    const takes =
      own ?? { runtime: 'runtime', metric: 'runtime', connection: 'connection' }[first] ?? 'worker';
    for (const [kind, handle] of Object.entries(handles)) {
      if (kind === takes) continue;
      const rest = [new Uint8Array(), new Uint8Array(), () => undefined];
      expect(await outcome(name, [handle, ...rest])).toBe('CORE_OPTIONS_INVALID');
    }
  });

  it('take any bytes after the right handle', async () => {
    const calls: Record<string, unknown> = {
      connectionUpdate: connection,
      connectionCall: connection,
      metricDefine: runtime,
      metricRecord: runtime,
      activityComplete: worker,
      activityHeartbeat: worker,
      nexusComplete: worker,
      codecComplete: worker,
      replayFeed: worker,
    };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(calls)), bytes, async (name, message) => {
        await outcome(name, [calls[name], message]);
      }),
      { numRuns: 600, seed: 7 },
    );
  });

  it('take any bytes as options, and end what came of them', async () => {
    const listener = () => undefined;
    await fc.assert(
      fc.asyncProperty(bytes, async (options) => {
        let opened: RuntimeHandle | undefined;
        try {
          opened = native.runtimeOpen(options, listener);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^CORE_(?!PANICKED)/) });
        }
        if (opened) native.runtimeClose(opened);
        for (const open of [
          () => native.workerOpen(runtime, connection, options, listener),
          () => native.replayWorkerOpen(runtime, options, listener),
        ]) {
          let made: WorkerHandle | undefined;
          try {
            made = open();
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^CORE_(?!PANICKED)/) });
          }
          if (made) await native.workerFinalize(made);
        }
        expect(await outcome('connectionOpen', [runtime, options])).toMatch(/^CORE_/);
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('answer for handles that are spent', async () => {
    const empty = new Uint8Array();
    expect(await outcome('workerFinalize', [spent])).toBe('ok');
    for (const [name, ...args] of [
      ['activityComplete', empty],
      ['nexusComplete', empty],
      ['activityHeartbeat', empty],
      ['workerValidate'],
      ['workerStart', []],
    ] as [string, ...unknown[]][]) {
      expect([name, await outcome(name, [spent, ...args])]).toEqual([
        name,
        expect.stringMatching(/^CORE_WORKER_(CLOSED|STARTED)$/),
      ]);
    }
    for (const [name, ...args] of [
      ['workerSetLanes', [1]],
      ['workerSetConnection', connection],
      ['workerShutdown'],
      ['workerCachedRuns'],
      ['codecComplete', empty],
      ['replayEnd'],
    ] as [string, ...unknown[]][]) {
      expect([name, await outcome(name, [spent, ...args])]).toEqual([name, 'ok']);
    }
    for (const [name, ...args] of [
      ['connectionOpen', empty],
      ['workerOpen', connection, workerOptions('q'), () => undefined],
      ['replayWorkerOpen', workerOptions('q'), () => undefined],
    ] as [string, ...unknown[]][]) {
      expect([name, await outcome(name, [closed, ...args])]).toEqual([
        name,
        expect.stringMatching(/^CORE_(RUNTIME_CLOSED|OPTIONS_INVALID)$/),
      ]);
    }
  });

  it('cannot be reached with handles of another thread', async () => {
    const script = `
      const { parentPort, workerData } = require('node:worker_threads');
      const { loadNative } = require(${JSON.stringify(require.resolve('.'))});
      const native = loadNative();
      const codes = {};
      for (const [name, call] of Object.entries(native)) {
        if (name === 'version' || name.startsWith('lane') || name === 'runtimeOpen') continue;
        try { call(workerData, new Uint8Array(), new Uint8Array(), () => {}); codes[name] = 'ok'; }
        catch (error) { codes[name] = error.code; }
      }
      parentPort.postMessage(codes);`;
    // A handle cannot be cloned: what arrives in its place is refused.
    expect(() => new Thread(script, { eval: true, workerData: worker })).toThrow(
      /could not be cloned|DataCloneError/,
    );
    const thread = new Thread(script, { eval: true, workerData: { looks: 'like a handle' } });
    const codes = await new Promise<Record<string, string>>((resolve, reject) => {
      thread.once('message', resolve);
      thread.once('error', reject);
    });
    expect(new Set(Object.values(codes))).toEqual(new Set(['CORE_OPTIONS_INVALID']));
  });

  it('still work after all that', async () => {
    expect(native.workerCachedRuns(worker)).toBe(0);
    expect(await outcome('workerValidate', [worker])).toBe('ok');
  });
});
