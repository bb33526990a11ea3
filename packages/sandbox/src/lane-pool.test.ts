import { AsyncLocalStorage } from 'node:async_hooks';
import { spawnSync } from 'node:child_process';
import { LanePool, resolveLanePoolOptions } from './lane-pool';
import { type TestPool, testPool } from './testing/pools';
import { escapes, probePrelude } from './testing/probes';
import { activationOf, bundleOf, readCompletion, registrationOf, startJob } from './testing/workflows';
import { messagePortTransport } from './transports/message-port';

let open: TestPool[] = [];
async function poolOf(...args: Parameters<typeof testPool>): Promise<TestPool> {
  const pool = await testPool(...args);
  open.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(open.map((pool) => pool.close()));
  open = [];
});

describe('a pool', () => {
  it('runs workflows on its threads', async () => {
    const { start, host } = await poolOf({ naps: 'await wf.sleep(5); return args[0] * 2;' }, { lanes: 2 });
    expect((await start('naps', 'a', 21)).commands).toEqual(['startTimer']);
    const done = await host.activate(1, 'a', activationOf('a', [{ fireTimer: { seq: 1 } }]));
    expect(readCompletion(done).value).toBe(42);
  });

  it('spreads runs over its lanes and loads a bundle once on each', async () => {
    const { pool, start } = await poolOf({ hello: 'await wf.sleep(1);' }, { lanes: 2 });
    await pool.register(registrationOf(2), bundleOf({ hello: 'await wf.sleep(1);' }));
    await Promise.all(Array.from({ length: 10 }, (_, index) => start('hello', `run-${index}`)));
    const stats = await pool.stats();
    expect(stats.map(({ runs, activations, realms }) => [runs, activations, realms])).toEqual([
      [5, 5, 1],
      [5, 5, 1],
    ]);
    expect(stats[0]!.runsByType).toEqual([['hello', 5]]);
  });

  it('refuses a bundle on every lane or on none', async () => {
    const { pool } = await poolOf({});
    await expect(
      pool.register(registrationOf(2), { code: 'import("node:fs")', hash: 'i' }),
    ).rejects.toMatchObject({
      code: 'SANDBOX_BUNDLE_REFUSED',
      message: expect.stringContaining('import()'),
    });
    await expect(pool.register(registrationOf(2), bundleOf({}))).resolves.toBeUndefined();
    await expect(pool.register(registrationOf(2), bundleOf({}))).rejects.toMatchObject({
      code: 'SANDBOX_OPTIONS_INVALID',
    });
  });

  it.each(['realm', 'context'] as const)(
    'gives a worker another bundle: runs keep the one they began with (%s)',
    async (isolation) => {
      const { pool, host } = await poolOf({});
      const version = (word: string) => bundleOf({ hello: `await wf.sleep(5); return "${word}";` });
      await pool.register(registrationOf(2), version('old'), isolation);
      const start = (runId: string) => host.activate(2, runId, activationOf(runId, [startJob('hello')]));
      const fire = async (runId: string) =>
        readCompletion(await host.activate(2, runId, activationOf(runId, [{ fireTimer: { seq: 1 } }]))).value;
      await start('a');
      await pool.replaceBundle(2, version('new'));
      await start('b');
      await expect(pool.replaceBundle(2, { code: 'import("node:fs")', hash: 'bad' })).rejects.toMatchObject({
        code: 'SANDBOX_BUNDLE_REFUSED',
      });
      await start('c');
      expect([await fire('a'), await fire('b'), await fire('c')]).toEqual(['old', 'new', 'new']);
      // Back to the first one, whose realm is still there as long as a run uses it.
      await start('d');
      await pool.replaceBundle(2, version('old'));
      await start('e');
      expect([await fire('d'), await fire('e')]).toEqual(['new', 'old']);
      host.evict(2, 'b');
      host.evict(2, 'c');
      host.evict(2, 'd');
      await start('f');
      expect((await pool.stats())[0]!.realms).toBe(isolation === 'realm' ? 2 : 1);
      await expect(pool.replaceBundle(9, version('new'))).rejects.toMatchObject({
        code: 'SANDBOX_OPTIONS_INVALID',
      });
    },
  );

  it('names everything that is wrong with its options', () => {
    expect(() =>
      resolveLanePoolOptions({
        lanes: 0,
        transportModule: '',
        heapMb: 1,
        activationDeadlineMs: -1,
        isolation: 'none' as any,
      }),
    ).toThrow(/lanes: .*transportModule: .*heapMb: .*activationDeadlineMs: .*isolation: /);
  });

  it('says which module cannot be loaded as transport', async () => {
    await expect(LanePool.create({ transportModule: '/nowhere/at-all.js' })).rejects.toMatchObject({
      code: 'SANDBOX_LANE_START_FAILED',
      message: expect.stringContaining('/nowhere/at-all.js'),
    });
    await expect(LanePool.create({ transportModule: require.resolve('./policy') })).rejects.toMatchObject({
      code: 'SANDBOX_LANE_START_FAILED',
      message: expect.stringContaining('laneTransport'),
    });
  });

  it('hands sink calls to the main thread', async () => {
    const { pool, start, sinkCalls } = await poolOf({
      notes: 'wf.proxySinks().log.note(args[0], new Map([[1, 2]]));',
    });
    await start('notes', 'a', 'text');
    await pool.stats(); // answered behind the calls
    expect(sinkCalls.filter(({ sink }) => sink === 'log')).toMatchObject([
      { fn: 'note', runId: 'a', args: ['text', new Map([[1, 2]])] },
    ]);
  });

  it('fails the task of a run whose rejection nobody handles, and no other', async () => {
    const { start, warnings } = await poolOf({
      lost: 'Promise.reject(new Error("nobody cares")); await wf.sleep(1);',
      fine: 'return 1;',
    });
    const [lost, fine] = await Promise.all([start('lost', 'a'), start('fine', 'b')]);
    expect(fine.value).toBe(1);
    expect(lost.taskFailed).toContain('Unhandled Promise rejection: ');
    expect(lost.taskFailed).toContain('nobody cares');
    expect(warnings).toEqual([]);
  });

  it.each([
    ['of a subclass', 'class Mine extends Promise {} Mine.reject(1);'],
    ['without a prototype', 'Object.setPrototypeOf(Promise.reject(1), null);'],
    [
      'with a hostile prototype',
      'const p = Promise.reject(1); Object.setPrototypeOf(p, new Proxy({}, { getPrototypeOf() { throw 1; } }));',
    ],
    ['with a hostile reason', 'Promise.reject(new Proxy({}, { get() { throw 1; } }));'],
    ['without a reason', 'Promise.reject();'],
  ])('survives rejected promises %s', async (_name, code) => {
    const { start, warnings, lost } = await poolOf({ bad: `${code} await wf.sleep(1);`, fine: 'return 1;' });
    const [bad] = await Promise.all([start('bad', 'a'), start('fine', 'b')]);
    expect((await start('fine', 'c')).value).toBe(1);
    expect(lost).toEqual([]);
    expect(bad.taskFailed).toContain('Unhandled Promise rejection');
    expect(warnings).toEqual([]);
  });

  it('runs on the calling thread when asked to, with the same results', async () => {
    const { start, pool } = await poolOf({ hello: 'return 1 + args[0];' }, { inline: true });
    expect((await start('hello', 'a', 1)).value).toBe(2);
    expect(pool.laneIds).toHaveLength(1);
    expect((await pool.stats())[0]!.activations).toBe(1);
  });

  it('refuses work after it was closed', async () => {
    const { pool } = await poolOf({});
    await pool.close();
    await pool.close();
    await expect(pool.register(registrationOf(5), bundleOf({}))).rejects.toMatchObject({
      code: 'SANDBOX_POOL_CLOSED',
    });
  });
});

describe('attacks on a lane thread', () => {
  const bodies = Object.fromEntries(escapes.map(([, body], index) => [`p${index}`, probePrelude + body]));
  it.each(escapes.map(([name], index) => [name, index] as const))(
    'lead nowhere: %s',
    async (_name, index) => {
      shared ??= await testPool(bodies, { activationDeadlineMs: 100_000, heapMb: 512 });
      expect((await shared.start(`p${index}`, `run-${index}`)).value).toMatch(/^(refused|nothing)$/);
      expect(shared.lost).toEqual([]);
    },
  );
  let shared: TestPool | undefined;

  const keptOnPromises = `let promise;
    await wf.CancellationScope.nonCancellable(async () => { promise = Promise.resolve(1); await promise; });
    const kept = Reflect.ownKeys(promise).map((key) => promise[key]);
    return kept.filter((value) => typeof value === 'object' && value !== null && Reflect.ownKeys(value).length > 0).length;`;

  it('find no records of the runtime on promises', async () => {
    const { start } = await poolOf({ scoped: keptOnPromises });
    expect(await start('scoped', 'a')).toMatchObject({ value: 0 });
  });

  it('find no values of the program on promises, even on its own thread', async () => {
    const storage = new AsyncLocalStorage<object>();
    await storage.run({ secret: 1 }, async () => {
      const { start } = await poolOf({ scoped: keptOnPromises }, { inline: true });
      expect(await start('scoped', 'a')).toMatchObject({ value: 0 });
    });
  });
  afterAll(() => shared?.close());
});

describe('a run that does not yield', () => {
  const stuck = {
    loop: 'for (;;);',
    caught: 'for (;;) { try { for (;;); } catch {} finally { for (;;); } }',
    microtasks: 'for (;;) await null;',
    regexp: 'return /^(a+)+$/.test("a".repeat(40) + "b");',
    hello: 'return "hello";',
    waits: 'await wf.sleep(1); return "waited";',
  };

  it.each(['loop', 'caught', 'microtasks', 'regexp'])('is ended at the deadline: %s', async (type) => {
    const { start, lost, lanes, pool, host, warnings } = await poolOf(stuck, {
      activationDeadlineMs: 300,
      heapMb: 512,
    });
    const [first] = pool.laneIds;
    await start('waits', 'w');
    const guilty = start(type, 'bad');
    await expect(guilty).rejects.toMatchObject({
      code: 'SANDBOX_LANE_LOST',
      message: expect.stringMatching(
        new RegExp(`workflow ${type} \\(run bad\\) did not yield within 300 ms`),
      ),
      hint: expect.stringContaining('loop without await'),
    });
    expect(lost).toMatchObject([
      { lane: first, reason: 'deadline', guilty: { worker: 1, runId: 'bad', workflowType: type } },
    ]);
    expect(host.holds(1, 'w')).toBe(false);
    // The replacement has another number, knows the worker, and the innocent run begins anew there.
    expect((await start('waits', 'w')).commands).toEqual(['startTimer']);
    expect((await start('hello', 'h')).value).toBe('hello');
    expect(pool.laneIds).toHaveLength(1);
    expect(pool.laneIds[0]).toBeGreaterThan(first!);
    expect(lanes.slice(-2)).toEqual([[], pool.laneIds]);
    expect(warnings).toMatchObject([{ code: 'LANE_LOST', workflowType: type }]);
  });

  it('shows as running meanwhile', async () => {
    const { start, pool } = await poolOf(stuck, { activationDeadlineMs: 300 });
    expect(pool.running).toEqual([]);
    const guilty = start('loop', 'bad').catch(() => {});
    while (pool.running.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(pool.running).toEqual([{ worker: 1, runId: 'bad', workflowType: 'loop' }]);
    await guilty;
    expect(pool.running).toEqual([]);
  });

  it('does not disturb the runs of other lanes', async () => {
    const { start, host } = await poolOf(stuck, { lanes: 2, activationDeadlineMs: 300 });
    await start('waits', 'bad'); // one lane
    await start('waits', 'good'); // the other
    const guilty = start('loop', 'looping');
    await expect(guilty).rejects.toMatchObject({ code: 'SANDBOX_LANE_LOST' });
    const left = ['bad', 'good'].filter((runId) => host.holds(1, runId));
    expect(left).toHaveLength(1);
    const done = await host.activate(1, left[0]!, activationOf(left[0]!, [{ fireTimer: { seq: 1 } }]));
    expect(readCompletion(done).value).toBe('waited');
  });

  it('is not ended while the main thread is busy and the lane makes progress', async () => {
    const { start, lost } = await poolOf(stuck, { activationDeadlineMs: 100 });
    const work = Promise.all(Array.from({ length: 50 }, (_, index) => start('hello', `run-${index}`)));
    const until = performance.now() + 400;
    while (performance.now() < until);
    await work;
    expect(lost).toEqual([]);
  });
});

describe('memory', () => {
  it('ends the lane of a run that takes all, and the process goes on', async () => {
    const { start, lost } = await poolOf(
      // A list of small objects: an array that grows is one huge allocation in the end, which ends the process on
      // some versions of Node.js (README, limits).
      { greedy: 'let all; for (;;) all = { all, some: [1, 2, 3] };', hello: 'return 1;' },
      { heapMb: 48, activationDeadlineMs: 100_000 },
    );
    await expect(start('greedy', 'bad')).rejects.toMatchObject({
      message: expect.stringContaining('48 MB of heap'),
    });
    expect(lost).toMatchObject([{ reason: 'heap', guilty: { runId: 'bad', workflowType: 'greedy' } }]);
    expect((await start('hello', 'h')).value).toBe(1);
  });

  it('asks for the eviction of runs before the heap is full', async () => {
    const { start, lost, warnings, pool } = await poolOf(
      {
        holds:
          'const mine = Array.from({ length: 5000 }, (_, i) => ({ i })); await wf.condition(() => mine.length === 0);',
      },
      { heapMb: 64, activationDeadlineMs: 100_000 },
    );
    for (let index = 0; index < 600; index++) await start('holds', `run-${index}`);
    expect(lost).toEqual([]);
    const [stats] = await pool.stats();
    expect(stats!.runs).toBeLessThan(600);
    expect(warnings.map(({ code }) => code)).toContain('HEAP_PRESSURE');
    expect(stats!.heapUsedBytes).toBeLessThan(stats!.heapLimitBytes);
  });
});

describe('the process', () => {
  const program = (rest: string) => `
    const { testPool } = require(${JSON.stringify(require.resolve('./testing/pools'))});
    testPool({ hello: 'return 1;', loop: 'for (;;);' }, { lanes: 2, activationDeadlineMs: 60000 }).then(async ({ start, pool, host }) => { ${rest} });`;
  const run = (rest: string) =>
    spawnSync(process.execPath, ['-e', program(rest)], {
      encoding: 'utf8',
      timeout: 120_000, // for what hangs
      killSignal: 'SIGKILL',
    });

  it.each([
    ['when nothing is left to do', 'await start("hello", "a"); console.log("done");', 0],
    [
      'by process.exit while a lane loops',
      'start("loop", "a").catch(() => {}); setTimeout(() => { console.log("done"); process.exit(3); }, 100);',
      3,
    ],
    [
      'by an uncaught exception while a lane loops',
      'start("loop", "a").catch(() => {}); setTimeout(() => { console.log("done"); throw new Error("bye"); }, 100);',
      1,
    ],
  ])('exits %s', (_name, rest, status) => {
    const result = run(rest);
    expect([result.status, result.stdout.trim(), result.signal]).toEqual([status, 'done', null]);
  });

  describe('with workflows on the calling thread', () => {
    const inline = (rest: string) =>
      run(
        `const inline = await require(${JSON.stringify(require.resolve('./testing/pools'))}).testPool({
           lost: 'Promise.reject(1); await wf.sleep(1);', fine: 'await wf.sleep(1);' }, { inline: true });
         const lost = await inline.start('lost', 'b'); setTimeout(() => { console.log(lost.taskFailed); ${rest} }, 10);`,
      );

    it('survives their rejections, which fail the task as in lanes of their own', () => {
      const result = inline(
        "inline.start('fine', 'c').then(({ taskFailed }) => console.log(taskFailed, inline.warnings.length));",
      );
      expect(result.stdout.trim().split('\n')).toEqual([
        expect.stringMatching(/^Unhandled Promise rejection: 1; await the promise/),
        'undefined 0',
      ]);
      expect(result.status).toBe(0);
    });

    it.each([
      ['a rejection', 'Promise.reject(new Error("mine"));'],
      [
        'an error in a callback that is due while a workflow runs',
        `inline.start('fine', 'c'); process.nextTick(() => { throw new Error("mine"); });`,
      ],
    ])('still ends by %s of its own', (_, rest) => {
      expect(inline(rest)).toMatchObject({ status: 1, stderr: expect.stringContaining('mine') });
    });
  });

  it('stays while an activation is awaited', () => {
    const result = run('console.log((await start("hello", "a")).value, (await start("hello", "b")).value);');
    expect([result.status, result.stdout.trim()]).toEqual([0, '1 1']);
  });
});

it('the transport of the package is at a path that threads can load', () => {
  expect(typeof require(messagePortTransport).laneTransport.open).toBe('function');
  expect(startJob('x').initializeWorkflow?.workflowType).toBe('x');
});
