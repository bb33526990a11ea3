/** Histories recorded on a real server, replayed without one. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '@perdure/common';
import { historyToJSON } from '@perdure/common/lib/proto-utils';
import { findServerBinary } from '@perdure/dev-server';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { bundleWorkflowCode, type InjectedSinks, ReplayError, Worker } from '@perdure/worker';
import { DeterminismViolationError } from '@perdure/workflow';
import { harness, rejection, until, workflowsDir } from './support/harness';

const h = harness();
const workflowsPath = join(workflowsDir, 'replayed.ts');
let history: History;
let workflowId: string;

beforeAll(async () => {
  const worker = await h.worker({
    workflowsPath,
    activities: { step: async (name: string) => `did ${name}` },
  });
  await worker.runUntil(async () => {
    const handle = await h.start(worker, 'replayed', ['x']);
    expect(await handle.result()).toBe('did x 1, did x 2');
    history = await handle.fetchHistory();
    workflowId = handle.workflowId;
  });
});

it('replays what it has recorded', async () => {
  await Worker.runReplayHistory({ workflowsPath }, history, workflowId);
});

it('takes a history as JSON text and as an object of JSON', async () => {
  const json = historyToJSON(history);
  await Worker.runReplayHistory({ workflowsPath }, json);
  await Worker.runReplayHistory({ workflowsPath }, JSON.parse(json));
});

it('takes a history as bytes', async () => {
  await Worker.runReplayHistory({ workflowsPath }, History.encode(history).finish(), workflowId);
  expect(
    await rejection(Worker.runReplayHistory({ workflowsPath }, new Uint8Array([1, 2, 3]))),
  ).toBeInstanceOf(ReplayError);
});

describe('what the CLI writes', () => {
  const show = async (...flags: string[]) => {
    const { path } = await findServerBinary('temporal');
    const args = ['workflow', 'show', '--workflow-id', workflowId, '--address', h.address, ...flags];
    return (await promisify(execFile)(path, args, { maxBuffer: 2 ** 26 })).stdout;
  };

  it.each([
    [['--output', 'json']],
    [['--output', 'json', '--no-json-shorthand-payloads']],
    [['--output', 'json', '--detailed']],
    [['--output', 'json', '--time-format', 'raw']],
  ])('with %j replays, as text and as an object', async (flags) => {
    const text = await show(...flags);
    expect(JSON.parse(text).events).toHaveLength(history.events!.length);
    await Worker.runReplayHistory({ workflowsPath }, text, workflowId);
    await Worker.runReplayHistory({ workflowsPath }, JSON.parse(text), workflowId);
    const error = await rejection(
      Worker.runReplayHistory({ workflowsPath: join(workflowsDir, 'replayed-changed.ts') }, text, workflowId),
    );
    expect(error.message).toMatch(/replayed-changed\.ts:7/); // it has been read, not only taken
  });

  it('with --output jsonl replays: one event a line', async () => {
    const text = await show('--output', 'jsonl');
    await Worker.runReplayHistory({ workflowsPath }, text, workflowId);
  });
});

it('takes a bundle made beforehand', async () => {
  const { code } = await bundleWorkflowCode({ workflowsPath });
  await Worker.runReplayHistory({ workflowBundle: { code } }, history, workflowId);
});

it('replays with a fresh context for each run, too', async () => {
  await Worker.runReplayHistory({ workflowsPath, reuseV8Context: false }, history, workflowId);
});

it('names event, command and source line when the code has changed', async () => {
  const error = await rejection(
    Worker.runReplayHistory(
      { workflowsPath: join(workflowsDir, 'replayed-changed.ts') },
      history,
      workflowId,
    ),
  );
  expect(error).toBeInstanceOf(DeterminismViolationError);
  expect(error.message).toMatch(/ActivityTaskScheduled/);
  expect(error.message).toMatch(/StartTimer|Timer/);
  expect(error.message).toMatch(/replayed-changed\.ts:7/);
});

it('fails with a ReplayError when the bundle lacks the workflow', async () => {
  const error = await rejection(
    Worker.runReplayHistory({ workflowsPath: join(workflowsDir, 'activities.ts') }, history, workflowId),
  );
  expect(error).toBeInstanceOf(ReplayError);
  expect(hasCode(error, 'REPLAY_FAILED')).toBe(true);
  expect(error.message).toMatch(/replayed/);
});

it.each([
  ['nothing', undefined],
  ['an empty history', { events: [] }],
  ['text that is no JSON', 'not json'],
  ['a history without its first events', 'tail'],
])('ends with a ReplayError for %s', async (_, given) => {
  const broken = given === 'tail' ? { events: history.events!.slice(3) } : given;
  expect(await rejection(Worker.runReplayHistory({ workflowsPath }, broken))).toBeInstanceOf(ReplayError);
});

it('replays many histories side by side and reports each, the bad ones too', async () => {
  async function* histories() {
    for (let i = 0; i < 60; i++) {
      yield { workflowId: `${workflowId}-${i}`, history: i % 10 === 3 ? { events: [] } : history };
    }
  }
  const failed: string[] = [];
  let count = 0;
  for await (const { workflowId: id, error } of Worker.runReplayHistories(
    { workflowsPath, workflowThreadPoolSize: 2 },
    histories(),
  )) {
    count++;
    if (error !== undefined) failed.push(id);
  }
  expect(count).toBe(60);
  expect(failed.sort()).toEqual([3, 13, 23, 33, 43, 53].map((i) => `${workflowId}-${i}`).sort());
});

it('calls sinks during replay only where that was asked for', async () => {
  const path = join(workflowsDir, 'features.ts');
  const record = async (what: string) => what;
  const sinks = (calls: unknown[], callDuringReplay?: boolean): InjectedSinks<any> => ({
    collector: { collect: { fn: (_, value) => void calls.push(value), callDuringReplay } },
  });
  const live: unknown[] = [];
  const worker = await h.worker({ workflowsPath: path, activities: { record }, sinks: sinks(live) });
  const recorded = await worker.runUntil(async () => {
    const handle = await h.start(worker, 'logs');
    await handle.result();
    return handle.fetchHistory();
  });
  await until(() => live.length === 2, 'the live calls have been made');
  h.log.lines.length = 0;
  const silent: unknown[] = [];
  await Worker.runReplayHistory({ workflowsPath: path, sinks: sinks(silent) }, recorded);
  const loud: unknown[] = [];
  await Worker.runReplayHistory({ workflowsPath: path, sinks: sinks(loud, true) }, recorded);
  await until(() => loud.length === 2, 'the calls of the replay have been made');
  expect(loud).toEqual(live);
  expect(silent).toEqual([]);
  expect(h.log.lines.filter(({ message }) => /^(first|second) line$/.test(message))).toEqual([]);
});

it('tells the histories of one id apart, and the bad one among them', async () => {
  // Without run ids nothing but their place in the feed distinguishes them.
  const nameless = (types: object[]) => ({ events: types });
  const events = (JSON.parse(historyToJSON(history)) as { events: any[] }).events.map((event) => {
    const { originalExecutionRunId: _, ...started } = event.workflowExecutionStartedEventAttributes ?? {};
    return event.workflowExecutionStartedEventAttributes
      ? { ...event, workflowExecutionStartedEventAttributes: started }
      : event;
  });
  const other = events.map((event) =>
    event.activityTaskScheduledEventAttributes
      ? {
          ...event,
          activityTaskScheduledEventAttributes: {
            ...event.activityTaskScheduledEventAttributes,
            activityType: { name: 'another' },
          },
        }
      : event,
  );
  const given = [events, other, history.events!, events, other].map((list) => ({
    workflowId,
    history: nameless(list),
  }));
  const runs = new Map<string, boolean>();
  for await (const { runId, error } of Worker.runReplayHistories({ workflowsPath }, given)) {
    if (error !== undefined) expect(error).toBeInstanceOf(DeterminismViolationError);
    runs.set(runId, error === undefined);
  }
  expect(runs.size).toBe(5); // each gets a run id of its own
  expect([...runs.values()].filter((good) => good)).toHaveLength(3);
});

it('replays side by side over all lanes, and yields a result before the last history has been given', async () => {
  let given = 0;
  let resolveFirst: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    resolveFirst = resolve;
  });
  async function* histories() {
    for (; given < 4; given++) yield { workflowId: `${workflowId}-${given}`, history };
    await first; // would wait for ever if results came only in the end
    yield { workflowId: `${workflowId}-${given++}`, history };
  }
  let ended = 0;
  for await (const { error } of Worker.runReplayHistories({ workflowsPath }, histories())) {
    expect(error).toBeUndefined();
    ended++;
    resolveFirst();
  }
  expect([given, ended]).toEqual([5, 5]);
});

it('asks an endless iterable for no more once the caller stops, and ends it', async () => {
  let given = 0;
  let told = false;
  async function* endless() {
    try {
      for (;;) yield { workflowId: `${workflowId}-${given++}`, history };
    } finally {
      told = true;
    }
  }
  let seen = 0;
  for await (const { error } of Worker.runReplayHistories({ workflowsPath }, endless())) {
    expect(error).toBeUndefined();
    if (++seen === 20) break;
  }
  await until(() => told, 'the iterable has been told');
  const then = given;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(given).toBe(then);
});

it('stops in the middle when the caller does', async () => {
  for await (const result of Worker.runReplayHistories({ workflowsPath }, [
    { workflowId: 'a', history },
    { workflowId: 'b', history },
    { workflowId: 'c', history },
  ])) {
    expect(result.error).toBeUndefined();
    break;
  }
});

it('passes on what the iterable of histories throws', async () => {
  // biome-ignore lint/correctness/useYield: it throws before it yields
  async function* broken(): AsyncGenerator<never> {
    throw new Error('no more histories');
  }
  const drain = async () => {
    for await (const _ of Worker.runReplayHistories({ workflowsPath }, broken())) {
      // nothing comes
    }
  };
  expect((await rejection(drain())).message).toBe('no more histories');
});
