/** The edges of what options and values may be, against histories and descriptions of a real server. */
import { join } from 'node:path';
import { WorkflowUpdateFailedError } from '@perdure/client';
import { type SearchAttributePair, TypedSearchAttributes } from '@perdure/common';
import type { Worker } from '@perdure/worker';
import { eventNames, harness, rejection, replayAll, workflowsDir } from './support/harness';
import { attributesOf } from './support/plain';

const h = harness();
const workflowsPath = join(workflowsDir, 'audit-edges.ts');
const workflowFailureErrorTypes = { failsByUpdate: ['Expected'] };
let worker: Worker;

beforeAll(async () => {
  worker = await h.worker({
    workflowsPath,
    workflowFailureErrorTypes,
    activities: { echo: async () => undefined },
  });
  h.background(worker);
});

it('an upsert of nothing is no command, and undefined removes', async () => {
  const handle = await h.start(worker, 'upserts', [], {
    memo: { kept: 0, gone: 0 },
    searchAttributes: { TestKeyword: ['here'] },
  });
  expect(await handle.result()).toEqual([2, { kept: 1 }, []]);
  expect((await eventNames(handle)).filter((name) => !name.startsWith('Timer'))).toEqual([
    'WorkflowExecutionStarted',
    'UpsertWorkflowSearchAttributes',
    'WorkflowPropertiesModified',
    'WorkflowExecutionCompleted',
  ]);
  const { memo, searchAttributes } = await handle.describe();
  expect([memo, searchAttributes.TestKeyword]).toEqual([{ kept: 1 }, undefined]);
});

it('an error of a class that fails workflows does so in an update handler too, and the caller is told', async () => {
  const handle = await h.start(worker, 'failsByUpdate');
  const refused = await rejection(handle.executeUpdate('fail'));
  expect(refused).toBeInstanceOf(WorkflowUpdateFailedError);
  expect(await rejection(handle.result())).toMatchObject({
    cause: { message: 'as configured', type: 'Expected' },
  });
  expect(await eventNames(handle)).toEqual([
    'WorkflowExecutionStarted',
    'WorkflowExecutionUpdateAccepted',
    'TimerStarted',
    'TimerFired',
    'WorkflowExecutionFailed',
  ]);
});

it('options of one call are laid over those of the proxy, field by field', async () => {
  const handle = await h.start(worker, 'overrides');
  await handle.result();
  expect(await attributesOf(handle, 'ActivityTaskScheduled')).toMatchObject([
    { startToCloseTimeout: 60_000, retryPolicy: { initialInterval: 7000, maximumAttempts: 1 } },
  ]);
});

it('timers last as long as they say: longer than 24 days, and fractions of a millisecond', async () => {
  const handle = await h.start(worker, 'waits');
  await handle.signal('go');
  expect(await handle.result()).toEqual(['-4 ms', '0.3 ms', '1.5 ms', 'NaN', 'no time']);
  const days = 24 * 3_600_000;
  const lengths = (await attributesOf(handle, 'TimerStarted')).map(
    ({ startToFireTimeout }) => startToFireTimeout,
  );
  // The server keeps timers for at most a century of its own.
  expect(lengths).toEqual([30 * days, 30 * days, 3_000_000, expect.any(Number), 1.5, 1, 1, 1, 1, 30 * days]);
  expect(lengths[3]).toBeGreaterThan(36_000 * days);
});

describe('search attributes', () => {
  const types = { EdgeInt: 3, EdgeDouble: 4, EdgeTime: 6, EdgeBool: 5, EdgeList: 7 } as const;
  type Name = keyof typeof types;
  const typeNames = { 3: 'INT', 4: 'DOUBLE', 5: 'BOOL', 6: 'DATETIME', 7: 'KEYWORD_LIST' } as const;
  const pair = (name: Name, value: unknown) =>
    ({ key: { name, type: typeNames[types[name]] }, value }) as SearchAttributePair;
  const sorted = (pairs: { key: { name: string } }[]) =>
    JSON.parse(
      JSON.stringify(
        pairs
          .filter(({ key }) => key.name.startsWith('Edge'))
          .sort((a, b) => a.key.name.localeCompare(b.key.name)),
      ),
    );
  const asJson = (pairs: SearchAttributePair[]) => sorted(pairs);

  beforeAll(async () => {
    await h.client.connection.operatorService.addSearchAttributes({
      namespace: 'default',
      searchAttributes: types,
    });
  });

  it('of every type come back as they went: as started, as upserted, as described', async () => {
    const first = [
      pair('EdgeInt', Number.MAX_SAFE_INTEGER),
      pair('EdgeDouble', 5e-324),
      pair('EdgeTime', new Date('1969-12-31T23:59:59.999Z')),
      pair('EdgeBool', false),
      pair('EdgeList', ['only']),
    ];
    const second = [
      pair('EdgeInt', Number.MIN_SAFE_INTEGER),
      pair('EdgeDouble', 1e300),
      pair('EdgeTime', new Date('9999-12-31T23:59:59.123Z')),
      pair('EdgeBool', true),
      pair('EdgeList', ['two', 'words \u{1f4a5}']),
    ];
    const handle = await h.start(
      worker,
      'attributes',
      [
        [
          ['int', Number.MIN_SAFE_INTEGER],
          ['double', 1e300],
          ['time', '9999-12-31T23:59:59.123Z'],
          ['bool', true],
          ['list', ['two', 'words \u{1f4a5}']],
        ],
      ],
      { typedSearchAttributes: new TypedSearchAttributes(first) },
    );
    const [given, then, later] = (await handle.result()) as any[];
    expect(sorted(given)).toEqual(asJson(first));
    expect(sorted(then)).toEqual(asJson(second));
    expect(sorted(later)).toEqual(asJson(second));
    const { typedSearchAttributes } = await handle.describe();
    expect(sorted(typedSearchAttributes.getAll())).toEqual(asJson(second));
  });

  it('that JSON cannot say are gone, for the workflow and for the server alike: NaN and infinities', async () => {
    const handle = await h.start(worker, 'attributes', [[['double', 0.1]]], {
      typedSearchAttributes: [pair('EdgeDouble', -0)],
    });
    const [given] = (await handle.result()) as any[];
    expect(sorted(given)).toEqual([pair('EdgeDouble', 0)]);
    const removing = await h.start(worker, 'attributes', [[['double', null]]], {
      typedSearchAttributes: [pair('EdgeDouble', Number.NaN), pair('EdgeInt', 1)],
    });
    expect((await removing.result()) as any[]).toMatchObject([
      [pair('EdgeInt', 1)],
      [pair('EdgeInt', 1)],
      [pair('EdgeInt', 1)],
    ]);
    expect(sorted((await removing.describe()).typedSearchAttributes.getAll())).toEqual([pair('EdgeInt', 1)]);
  });
});

it('every history of this file replays from an empty cache', async () => {
  expect(h.started.length).toBeGreaterThan(4);
  expect(await replayAll(h, { workflowsPath, workflowFailureErrorTypes })).toEqual([]);
});
