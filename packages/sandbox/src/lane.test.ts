import { Lane, type LaneWarning } from './lane';
import { deterministic, escapes, leaks, probePrelude } from './testing/probes';
import {
  activationOf,
  batchOf,
  bundleOf,
  CollectingEnd,
  type Completed,
  readCompletion,
  registrationOf,
  startJob,
} from './testing/workflows';

function laneWith(
  workflows: Record<string, string>,
  isolation: 'realm' | 'context' = 'realm',
  sourceMap?: string,
) {
  const warnings: LaneWarning[] = [];
  const sinkCalls: any[] = [];
  const lane = new Lane(1, {
    onSinkCalls: (calls) => sinkCalls.push(...calls),
    onWarning: (warning) => warnings.push(warning),
  });
  const end = new CollectingEnd();
  lane.attach(end);
  lane.register(registrationOf(1), bundleOf(workflows, { sourceMap }), isolation);
  let nextRun = 1;
  const run = (type: string, ...args: unknown[]): Completed => {
    const runId = `run-${nextRun++}`;
    lane.handleBatch(batchOf({ runId, activation: activationOf(runId, [startJob(type, args)]) }));
    return readCompletion(end.completions.at(-1)!);
  };
  return { lane, end, warnings, sinkCalls, run };
}

/** Evaluates probes as workflows of one bundle, each in its own run. */
function probing(bodies: readonly string[], isolation: 'realm' | 'context' = 'realm') {
  const { run } = laneWith(Object.fromEntries(bodies.map((body, index) => [`p${index}`, body])), isolation);
  return (index: number) => run(`p${index}`);
}
describe.each(['realm', 'context'] as const)('isolation "%s" with the real runtime', (isolation) => {
  const notOnThisThread = new Set([
    'stack overflow while a stack is formatted',
    'what the host keeps on promises',
  ]);
  const attacks = escapes.filter(([name]) => !notOnThisThread.has(name));
  const attack = probing(
    attacks.map(([, body]) => probePrelude + body),
    isolation,
  );
  it.each(attacks.map(([name], index) => [name, index] as const))(
    'gives no way out by %s',
    (_name, index) => {
      const { value, failed, taskFailed } = attack(index);
      if (failed === undefined && taskFailed === undefined) expect(value).toMatch(/^(refused|nothing)$/);
      else expect(failed ?? taskFailed).toMatch(/Cannot assign to read only property 'Error'/);
    },
  );

  const facts = probing(
    deterministic.map(([, expression]) => `return ${expression};`),
    isolation,
  );
  it.each(deterministic.map(([name], index) => [name, index] as const))(
    'is deterministic: %s',
    (_name, index) => {
      expect(facts(index)).toMatchObject({ value: true });
    },
  );

  const shared =
    isolation === 'realm' ? leaks : leaks.filter(([name]) => name !== 'getter of the shared global');
  const leak = probing(
    shared.flatMap(([, write, read]) => [
      `try { ${write} } catch (e) { return e.name; } return 'wrote';`,
      `return ${read};`,
    ]),
    isolation,
  );
  it.each(shared.map(([name], index) => [name, index] as const))('keeps runs apart: %s', (_name, index) => {
    const { value } = leak(2 * index);
    // In a context of its own a run may break whatever it likes, the way to answer included.
    if (isolation === 'realm') expect(value).toMatch(/^(wrote|TypeError)$/);
    expect(leak(2 * index + 1)).toMatchObject({ value: false });
  });

  it('keeps module state of runs apart', () => {
    const { run } = laneWith(
      { count: 'module.count = (module.count ?? 0) + 1; return module.count;' },
      isolation,
    );
    expect([run('count').value, run('count').value]).toEqual([1, 1]);
  });

  it.each([
    ['the authoring API', 'wf.hacked = 1;', 'wf.hacked !== undefined'],
    ['functions of the authoring API', 'wf.sleep.hacked = 1;', 'wf.sleep.hacked !== undefined'],
    [
      'classes of the authoring API',
      'wf.CancellationScope.prototype.hacked = 1;',
      'wf.CancellationScope.prototype.hacked !== undefined',
    ],
    [
      'errors of the authoring API',
      'require_("@perdure/common").ApplicationFailure.prototype.hacked = 1;',
      'require_("@perdure/common").ApplicationFailure.prototype.hacked !== undefined',
    ],
    [
      'assert',
      'require_("assert").ok = () => {};',
      '(() => { try { require_("assert").ok(false); return true; } catch { return false; } })()',
    ],
  ])('keeps runs apart: %s', (_name, write, read) => {
    const { run } = laneWith({ w: `try { ${write} } catch {}`, r: `return ${read};` }, isolation);
    run('w');
    expect(run('r')).toMatchObject({ value: false });
  });

  it.each([
    ['functions', 'wf.sleep.constructor("return process")()'],
    ['arguments', 'args[0].constructor.constructor("return process")()'],
    [
      'errors',
      '(() => { try { wf.sleep({}); wf.setHandler(1); } catch (e) { return e.constructor.constructor("return process")(); } })()',
    ],
    ['workflowInfo', 'wf.workflowInfo().constructor.constructor("return process")()'],
    [
      'a stack overflow',
      '(() => { let seen; const dive = () => { try { wf.patched("x"); } catch (e) { seen = e; } dive(); }; try { dive(); } catch (e) { seen ??= e; } return seen.constructor.constructor("return process")(); })()',
    ],
  ])('gives no way out by %s of the SDK', (_name, expression) => {
    const { run } = laneWith({ probe: `${probePrelude} return reaches(() => ${expression});` }, isolation);
    expect(run('probe', { a: 1 }).value).toMatch(/^(refused|nothing)$/);
  });
});

describe('a lane', () => {
  it.each([
    ['with one call', 60_000, 1],
    ['in parts when it takes long', -1, 3],
  ])('answers every activation of a batch in order, %s', (_name, flushAfterMs, flushes) => {
    const lane = new Lane(1, { onSinkCalls() {}, onWarning() {} }, undefined, undefined, flushAfterMs);
    const end = new CollectingEnd();
    lane.attach(end);
    lane.register(registrationOf(1), bundleOf({ hello: 'return "hello " + args[0];' }), 'realm');
    const items = ['a', 'b', 'c'].map((runId) => ({
      runId,
      activation: activationOf(runId, [startJob('hello', [runId])]),
    }));
    lane.handleBatch(batchOf(...items));
    expect(end.completions.map((bytes) => readCompletion(bytes).value)).toEqual([
      'hello a',
      'hello b',
      'hello c',
    ]);
    expect(end.flushes).toBe(flushes);
  });

  it('goes on with a run where its timer left it', () => {
    const { lane, end } = laneWith({ naps: 'await wf.sleep(5); return "rested";' });
    lane.handleBatch(batchOf({ runId: 'a', activation: activationOf('a', [startJob('naps')]) }));
    expect(readCompletion(end.completions[0]!).commands).toEqual(['startTimer']);
    lane.handleBatch(batchOf({ runId: 'a', activation: activationOf('a', [{ fireTimer: { seq: 1 } }]) }));
    expect(readCompletion(end.completions[1]!).value).toBe('rested');
  });

  it('forgets an evicted run, and says nothing back', () => {
    const { lane, end } = laneWith({ naps: 'await wf.sleep(5);' });
    lane.handleBatch(batchOf({ runId: 'a', activation: activationOf('a', [startJob('naps')]) }));
    expect(lane.stats().runsByType).toEqual([['naps', 1]]);
    lane.handleBatch(batchOf({ runId: 'a', evict: true }, { runId: 'a', evict: true }));
    expect(end.completions).toHaveLength(1);
    expect(lane.stats().runs).toBe(0);
    lane.handleBatch(batchOf({ runId: 'a', activation: activationOf('a', [{ fireTimer: { seq: 1 } }]) }));
    expect(readCompletion(end.completions[1]!).taskFailed).toMatch(/a/);
  });

  it('fails the task of a worker that it does not know', () => {
    const { lane, end } = laneWith({});
    lane.handleBatch(batchOf({ worker: 9, runId: 'a', activation: activationOf('a', [startJob('x')]) }));
    expect(readCompletion(end.completions[0]!).taskFailed).toContain('no worker 9');
  });

  it('fails the task, and nothing else, for bytes that are no activation', () => {
    const { lane, end, run } = laneWith({ hello: 'return 1;' });
    lane.handleBatch(batchOf({ runId: 'a', activation: Uint8Array.from([255, 255, 1, 2]) }));
    expect(readCompletion(end.completions[0]!).taskFailed).not.toBe('');
    expect(run('hello').value).toBe(1);
  });

  it('loads a bundle once for all workers that use it', () => {
    const { lane, end } = laneWith({ hello: 'return wf.workflowInfo().taskQueue;' });
    lane.register(
      { ...registrationOf(2), taskQueue: 'second' },
      bundleOf({ hello: 'return wf.workflowInfo().taskQueue;' }),
      'realm',
    );
    expect(lane.stats().realms).toBe(1);
    lane.handleBatch(batchOf({ worker: 2, runId: 'a', activation: activationOf('a', [startJob('hello')]) }));
    expect(readCompletion(end.completions[0]!).value).toBe('second');
    lane.unregister(1);
    expect(lane.stats().realms).toBe(1);
    lane.unregister(2);
    expect(lane.stats().realms).toBe(0);
  });

  it('reports failures at the lines of the user', () => {
    // One mapping: line 4 of bundleOf's code, where the workflow function stands, is line 12, column 3 of order.ts.
    const sourceMap = JSON.stringify({
      version: 3,
      sources: ['src/order.ts'],
      names: [],
      mappings: ';;;AAWE',
    });
    const { run } = laneWith(
      { order: 'throw require_("@perdure/common").ApplicationFailure.nonRetryable("no stock");' },
      'realm',
      sourceMap,
    );
    const { failed, stack } = run('order');
    expect(failed).toBe('no stock');
    expect(stack).toMatch(/^ApplicationFailure: no stock\n {4}at .*order \(src\/order\.ts:12:3\)$/);
  });

  it('copies the arguments of sinks and replaces those that cannot be copied', () => {
    const { run, sinkCalls, warnings } = laneWith({
      sink: 'const { log } = wf.proxySinks(); log.note({ a: [1] }, () => 1, { get x() { throw 1; } }, new Date(5)); return 1;',
    });
    expect(run('sink').value).toBe(1);
    const calls = sinkCalls.filter(({ sink }) => sink === 'log');
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({ worker: 1, runId: 'run-1', fn: 'note' });
    expect(calls[0].args[0]).toEqual({ a: [1] });
    expect(calls[0].args[1]).toMatch(/could not be cloned/);
    expect(calls[0].args[2]).toMatch(/could not be cloned/);
    expect(JSON.parse(calls[0].info)).toMatchObject({ workflowType: 'sink' });
    expect(warnings.map((warning) => warning.code)).toEqual(['SINK_ARGUMENTS_NOT_CLONEABLE']);
  });

  it('carries out again what another lane has done, and calls no sink for it but those of replays', () => {
    const code = {
      steps:
        'const { log } = wf.proxySinks(); for (let i = 1; i <= 3; i++) { log.note(i); log.again(i); await wf.sleep(1); } return "done";',
    };
    const past = [
      activationOf('r', [startJob('steps')]),
      activationOf('r', [{ fireTimer: { seq: 1 } }]),
      activationOf('r', [{ fireTimer: { seq: 2 } }]),
    ];
    const completionsOf = (repeats: number) => {
      const { lane, end, sinkCalls } = laneWith({});
      lane.register(
        { ...registrationOf(2), replayingSinks: ['log.again'] },
        bundleOf(code, { hash: 'steps' }),
        'realm',
      );
      const items = past.map((activation) => ({ worker: 2, runId: 'r', activation }));
      lane.handleBatch(
        repeats === 0 ? batchOf(...items) : batchOf({ worker: 2, runId: 'r', repeats }, ...items),
      );
      const calls = sinkCalls
        .filter(({ sink }) => sink === 'log')
        .map(({ fn, args, info }) => [fn, args[0], JSON.parse(info).unsafe.isReplaying]);
      return { completions: end.completions.map((bytes) => [...bytes]), calls };
    };
    const first = completionsOf(0);
    expect(first.calls).toEqual(
      [1, 2, 3].flatMap((i) => [
        ['note', i, false],
        ['again', i, false],
      ]),
    );
    const again = completionsOf(2);
    expect(again.completions).toEqual(first.completions);
    expect(again.calls).toEqual([
      ['again', 1, true],
      ['again', 2, true],
      ['note', 3, false],
      ['again', 3, false],
    ]);
  });

  it('refuses a bundle of another format', () => {
    const { lane } = laneWith({});
    expect(() => lane.register(registrationOf(2), { code: '({ format: 99 })', hash: 'x' }, 'realm')).toThrow(
      /format/,
    );
    expect(() => lane.register(registrationOf(2), { code: 'nonsense nonsense', hash: 'y' }, 'realm')).toThrow(
      /does not compile/,
    );
  });
});
