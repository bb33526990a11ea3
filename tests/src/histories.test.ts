/** Histories that the official SDK has recorded (tests/histories), replayed here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { Runtime, Worker } from '@perdure/worker';
import { DeterminismViolationError } from '@perdure/workflow';
import { LineKeeper, workflowsDir } from './support/harness';

const folder = join(__dirname, '..', 'histories');
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort();
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const sinks = { collector: { collect: { fn: () => undefined } } };

/** Ids of workflows are part of what they command. */
const idOf = (file: string) => `recorded-${file.split('.').slice(0, -2).join('.')}`;

beforeAll(() => {
  Runtime.install({ logger: new LineKeeper() });
});

/** Options for a file: what its name says about the worker that made it. */
function optionsFor(file: string) {
  const intercepted = file.includes('.intercepted.');
  return {
    workflowsPath: join(workflowsDir, 'recorded.ts'),
    sinks,
    interceptors: {
      workflowModules: intercepted ? [join(workflowsDir, 'recorded-interceptors.ts')] : [],
    },
  };
}

it('are there, in the form of every tool', () => {
  for (const form of ['cli', 'ui', 'sdk'])
    expect(files.some((file) => file.endsWith(`.${form}.json`))).toBe(true);
  expect(files.length).toBeGreaterThan(20);
});

it.each(files)('%s replays, as text and as an object', async (file) => {
  const text = read(file);
  await Worker.runReplayHistory(optionsFor(file), text, idOf(file));
  await Worker.runReplayHistory(optionsFor(file), JSON.parse(text), idOf(file));
});

it('replays as a message, side by side and with a fresh context for each', async () => {
  const plain = files.filter((file) => !file.includes('.intercepted.'));
  const histories = plain.map((file) => ({ workflowId: idOf(file), history: historyFromJSON(read(file)) }));
  for (const reuseV8Context of [true, false]) {
    const ended: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories(
      { ...optionsFor(''), reuseV8Context },
      histories,
    )) {
      expect([workflowId, error?.message]).toEqual([workflowId, undefined]);
      ended.push(workflowId);
    }
    expect(ended.sort()).toEqual(plain.map(idOf).sort());
  }
});

it('does not replay with interceptors that it was not made with', async () => {
  const { interceptors } = optionsFor('.intercepted.');
  const error = await Worker.runReplayHistory(
    { ...optionsFor(''), interceptors },
    read('conditions.cli.json'),
  ).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

interface ProgramHistory {
  readonly name: string;
  readonly steps: unknown;
  readonly history: unknown;
}

it('replays random programs that ran on the official SDK', async () => {
  const rows = JSON.parse(
    gunzipSync(readFileSync(join(folder, 'programs.json.gz'))).toString(),
  ) as ProgramHistory[];
  expect(rows.length).toBeGreaterThanOrEqual(50);
  const failed: string[] = [];
  let ended = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowsPath: join(workflowsDir, 'fuzz.ts') },
    rows.map(({ name, history }) => ({ workflowId: name, history: History.fromJSON(history) })),
  )) {
    ended++;
    const { steps } = rows.find(({ name }) => name === workflowId) as ProgramHistory;
    if (error !== undefined) failed.push(`${workflowId} ${JSON.stringify(steps)}: ${error.message}`);
  }
  expect(failed).toEqual([]);
  expect(ended).toBe(rows.length);
});
