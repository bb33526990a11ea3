import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { type TestPool, testPool } from './testing/pools';
import { escapes, probePrelude } from './testing/probes';
import { activationOf, bundleOf, readCompletion, registrationOf, startJob } from './testing/workflows';
import { cpuMsOf, ownThread } from './thread-clock';

let open: TestPool[] = [];
async function poolOf(
  workflows: Parameters<typeof testPool>[0],
  options: Parameters<typeof testPool>[1] = {},
): Promise<TestPool> {
  const pool = await testPool(workflows, { processes: true, ...options });
  open.push(pool);
  return pool;
}
afterEach(async () => {
  await Promise.all(open.map((pool) => pool.close()));
  open = [];
});

/** Lanes of tests that have run before in this process. */
const others = new Set<number>();
beforeAll(() => {
  for (const pid of laneProcesses()) others.add(pid);
});

/** Process ids of the children of a process that lanes run in. */
function laneProcesses(parent = process.pid): number[] {
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, ppid, ...args]) => Number(ppid) === parent && /perdure lane|lane-process/.test(args.join(' ')),
    )
    .map(([pid]) => Number(pid))
    .filter((pid) => !others.has(pid));
}

/** Stops a process, and waits until the last of its threads stands still: those that work go on for a moment. */
async function suspend(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  const states = () =>
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      return text[text.lastIndexOf(')') + 2];
    });
  while (states().some((state) => state !== 'T')) await new Promise((resolve) => setTimeout(resolve, 5));
}

const workflows = {
  hello: 'return "hello " + args[0];',
  waits: 'await wf.sleep(1); return "waited";',
  loop: 'for (;;);',
  greedy: 'let all; for (;;) all = { all, some: [1, 2, 3] };',
  huge: 'return Array.from({ length: 1e8 }, (_, i) => ({ i })).length;',
};

describe('a lane in a process of its own', () => {
  it('runs workflows there, with the same results', async () => {
    const { start, host, pool } = await poolOf(workflows, { lanes: 2 });
    expect(laneProcesses()).toHaveLength(2);
    expect((await start('hello', 'a', 'World')).value).toBe('hello World');
    expect((await start('waits', 'b')).commands).toEqual(['startTimer']);
    const done = await host.activate(1, 'b', activationOf('b', [{ fireTimer: { seq: 1 } }]));
    expect(readCompletion(done).value).toBe('waited');
    const many = await Promise.all(Array.from({ length: 200 }, (_, n) => start('hello', `run-${n}`, n)));
    expect(many.map(({ value }) => value)).toEqual(many.map((_, n) => `hello ${n}`));
    const stats = await pool.stats();
    expect(stats.reduce((sum, { activations }) => sum + activations, 0)).toBe(203);
  });

  it('takes activations and gives completions of any size', async () => {
    const { start } = await poolOf({ echo: 'return args[0];' });
    const text = 'x'.repeat(5_000_000);
    expect((await start('echo', 'a', text)).value).toBe(text);
  });

  it('hands over sink calls, warnings and answers about patches', async () => {
    const asked: unknown[] = [];
    const { pool, host, start, sinkCalls } = await poolOf(
      { notes: 'wf.proxySinks().mine.note(args[0], new Map([[1, 2]]));' },
      {
        onPatch(request) {
          asked.push(request.patchId);
          return request.patchId === 'yes';
        },
      },
    );
    await start('notes', 'a', 'text');
    await pool.stats(); // answered behind the calls
    expect(sinkCalls.filter(({ sink }) => sink === 'mine')).toMatchObject([
      { fn: 'note', runId: 'a', args: ['text', new Map([[1, 2]])] },
    ]);
    await pool.register(
      { ...registrationOf(2), decidesPatches: true },
      bundleOf({ patches: 'return [wf.patched("yes"), wf.patched("no")];' }),
    );
    const done = await host.activate(2, 'p', activationOf('p', [startJob('patches')]));
    expect(readCompletion(done).value).toEqual([true, false]);
    expect(asked).toEqual(['yes', 'no']);
  });

  it('makes a worker known although a lane is lost meanwhile', async () => {
    const { pool, host } = await poolOf(workflows, { lanes: 2 });
    for (const pid of laneProcesses()) process.kill(pid, 'SIGKILL');
    await pool.register(registrationOf(2), bundleOf(workflows));
    const done = await host.activate(2, 'a', activationOf('a', [startJob('hello', [5])]));
    expect(readCompletion(done).value).toBe('hello 5');
  });

  it('refuses a bundle with the same words', async () => {
    const { pool } = await poolOf({});
    await expect(
      pool.register(registrationOf(2), { code: 'import("node:fs")', hash: 'i' }),
    ).rejects.toMatchObject({ code: 'SANDBOX_BUNDLE_REFUSED' });
  });

  it('is ended at the deadline, and names the run that is to blame', async () => {
    const { start, lost, pool } = await poolOf(workflows, { activationDeadlineMs: 300 });
    const [first] = pool.laneIds;
    // In one batch with others, before and behind it.
    const before = [start('hello', 'a', 1), start('hello', 'b', 2)];
    const guilty = start('loop', 'bad');
    const behind = start('hello', 'c', 3).catch((error) => error.code);
    await expect(guilty).rejects.toMatchObject({
      code: 'SANDBOX_LANE_LOST',
      message: expect.stringMatching(/workflow loop \(run bad\) did not yield within 300 ms/),
    });
    expect((await Promise.all(before)).map(({ value }) => value)).toEqual(['hello 1', 'hello 2']);
    expect(await behind).toBe('SANDBOX_LANE_LOST');
    expect(lost).toMatchObject([{ lane: first, reason: 'deadline', guilty: { runId: 'bad' } }]);
    expect((await start('hello', 'd', 4)).value).toBe('hello 4');
    expect(laneProcesses()).toHaveLength(1);
  });

  (cpuMsOf(ownThread()) === undefined ? it.failing : it)(
    'gets more time when the machine does not let it run, but not for ever',
    async () => {
      const { start, lost } = await poolOf(workflows, { activationDeadlineMs: 1000 });
      const [pid] = laneProcesses();
      await suspend(pid!);
      const late = start('hello', 'a', 1);
      await new Promise((resolve) => setTimeout(resolve, 2000));
      process.kill(pid!, 'SIGCONT');
      expect((await late).value).toBe('hello 1');
      expect(lost).toEqual([]);
      await suspend(pid!);
      await expect(start('hello', 'b', 2)).rejects.toMatchObject({ code: 'SANDBOX_LANE_LOST' });
      expect((await start('hello', 'c', 3)).value).toBe('hello 3');
    },
  );

  it.each(['greedy', 'huge'])('dies alone of a run that takes all memory: %s', async (type) => {
    const { start, lost } = await poolOf(workflows, { heapMb: 64, activationDeadlineMs: 100_000 });
    await expect(start(type, 'bad')).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(`workflow ${type} \\(run bad\\) was running when its lane used up its 64 MB of heap`),
      ),
    });
    expect(lost).toMatchObject([{ reason: 'heap', guilty: { runId: 'bad', workflowType: type } }]);
    expect((await start('hello', 'h', 1)).value).toBe('hello 1');
  });

  it('asks for the eviction of runs before its heap is full', async () => {
    const { start, lost, warnings, pool } = await poolOf(
      {
        holds:
          'const mine = Array.from({ length: 5000 }, (_, i) => ({ i })); await wf.condition(() => mine.length === 0);',
      },
      { heapMb: 64, activationDeadlineMs: 100_000 },
    );
    for (let index = 0; index < 500; index++) await start('holds', `run-${index}`);
    expect(lost).toEqual([]);
    expect((await pool.stats())[0]!.runs).toBeLessThan(500);
    expect(warnings.map(({ code }) => code)).toContain('HEAP_PRESSURE');
  });

  it('is replaced when somebody kills its process', async () => {
    const { start, lost, lanes, pool } = await poolOf(workflows);
    await start('waits', 'w');
    const [pid] = laneProcesses();
    process.kill(pid!, 'SIGKILL');
    while (lost.length === 0 || pool.laneIds.length === 0)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(lost).toMatchObject([{ reason: 'crash', message: expect.stringContaining('SIGKILL') }]);
    expect(lanes.at(-1)).toHaveLength(1);
    expect((await start('waits', 'w')).commands).toEqual(['startTimer']);
  });

  it('knows nothing of the environment of its parent', async () => {
    process.env.SECRET_OF_A_TEST = 'secret';
    try {
      const { start } = await poolOf(workflows);
      expect((await start('hello', 'a', 1)).value).toBe('hello 1');
      const [pid] = laneProcesses();
      const { stdout } = spawnSync('ps', ['eww', '-p', String(pid)], { encoding: 'utf8' });
      expect(stdout).toContain('NODE_CHANNEL_FD');
      expect(stdout).not.toContain('SECRET_OF_A_TEST');
    } finally {
      delete process.env.SECRET_OF_A_TEST;
    }
  });

  it('keeps all attacks inside', async () => {
    const bodies = Object.fromEntries(escapes.map(([, body], index) => [`p${index}`, probePrelude + body]));
    const { start, lost } = await poolOf(bodies, { activationDeadlineMs: 100_000, heapMb: 512 });
    for (const [index, [name]] of escapes.entries()) {
      expect([name, (await start(`p${index}`, `run-${index}`)).value]).toEqual([
        name,
        expect.stringMatching(/^(refused|nothing)$/),
      ]);
    }
    expect(lost).toEqual([]);
  });
});

describe('the process of a lane', () => {
  const program = (rest: string) => `
    const { testPool } = require(${JSON.stringify(require.resolve('./testing/pools'))});
    testPool({ hello: 'return 1;', loop: 'for (;;);' }, { lanes: 2, processes: true, activationDeadlineMs: 60000 })
      .then(async ({ start, pool, host }) => { ${rest} });`;
  /** Goes on once the test has seen its lanes and closed its input. */
  const seen = `console.log("lanes"); process.stdin.resume(); await new Promise((resolve) => process.stdin.once('close', resolve));`;

  it.each([
    ['has nothing left to do', 'await start("hello", "a"); console.log("done");', 0],
    ['calls process.exit', 'start("loop", "a").catch(() => {}); setTimeout(() => process.exit(3), 300);', 3],
    ['throws', 'start("loop", "a").catch(() => {}); setTimeout(() => { throw new Error("bye"); }, 300);', 1],
  ])('ends when its parent %s', async (_name, rest, status) => {
    const parent = spawn(process.execPath, ['-e', program(seen + rest)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const ended = new Promise((resolve) => parent.once('exit', resolve));
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    const lanes = laneProcesses(parent.pid!);
    expect(lanes).toHaveLength(2);
    parent.stdin.end();
    expect(await ended).toBe(status);
    await gone(lanes);
  });

  it('ends when its parent is killed, even while a workflow loops for ever', async () => {
    const parent = spawn(
      process.execPath,
      [
        '-e',
        program('start("loop", "a").catch(() => {}); setInterval(() => {}, 1000); console.log("loops");'),
      ],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    await new Promise((resolve) => parent.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, 200));
    const lanes = laneProcesses(parent.pid!);
    expect(lanes).toHaveLength(2);
    parent.kill('SIGKILL');
    await gone(lanes);
  });
});

async function gone(pids: readonly number[]): Promise<void> {
  const end = Date.now() + 60_000;
  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (pids.some(alive)) {
    if (Date.now() > end) throw new Error(`still there: ${pids.filter(alive)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
