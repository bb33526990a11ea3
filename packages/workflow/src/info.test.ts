import { ApplicationFailure, defineSearchAttributeKey } from '@perdure/common';
import Long from 'long';
import {
  getCurrentDetails,
  inWorkflowContext,
  setCurrentDetails,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from './index';
import { failureOf, job, payload, scenario, timestamp } from './testing/scenario';

const completed = async (workflow: () => unknown, init: object = {}, facts: object = {}) => {
  let value: any;
  const s = scenario(async () => {
    value = workflow();
  });
  await s.commands([job.start([], init)], facts);
  return value;
};

describe('workflowInfo', () => {
  it('tells of the run, its worker and its history', async () => {
    const info = await completed(
      () => workflowInfo(),
      {
        memo: { fields: { a: payload(1) } },
        parentWorkflowInfo: { namespace: 'n', workflowId: 'p', runId: 'pr' },
        rootWorkflow: { workflowId: 'root', runId: 'rr' },
        workflowExecutionTimeout: timestamp(9000),
        workflowTaskTimeout: timestamp(10_000),
        cronSchedule: '* * * * *',
        lastCompletionResult: { payloads: [payload('last')] },
        continuedFailure: failureOf(ApplicationFailure.create({ message: 'before' })),
        continuedFromExecutionRunId: 'prev',
        retryPolicy: { maximumAttempts: 4, backoffCoefficient: 2, initialInterval: timestamp(1000) },
        attempt: 3,
      },
      { historyLength: 17, now: 1_700_000_000_500 },
    );
    expect(info).toMatchObject({
      workflowId: 'workflow-1',
      runId: 'run-1',
      workflowType: 'wf',
      namespace: 'test-namespace',
      taskQueue: 'test-queue',
      memo: { a: 1 },
      parent: { namespace: 'n', workflowId: 'p', runId: 'pr' },
      root: { workflowId: 'root', runId: 'rr' },
      lastResult: 'last',
      historyLength: 17,
      historySize: 1234,
      continueAsNewSuggested: false,
      executionTimeoutMs: 9000,
      taskTimeoutMs: 10_000,
      cronSchedule: '* * * * *',
      continuedFromExecutionRunId: 'prev',
      attempt: 3,
      retryPolicy: { maximumAttempts: 4 },
    });
    expect(info.lastFailure.message).toBe('before');
    expect(info.startTime).toEqual(new Date(1_699_999_999_000));
    expect(info.runStartTime).toEqual(new Date(1_700_000_000_500));
    expect(info.runTimeoutMs).toBeUndefined();
    const before = Date.now();
    const now = info.unsafe.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    expect(Object.isFrozen(info)).toBe(true);
  });

  it('follows the history from activation to activation', async () => {
    const s = scenario(async () => {
      const before = workflowInfo();
      await sleep(1);
      return [before.historyLength, workflowInfo().historyLength, workflowInfo().unsafe.isReplaying];
    });
    await s.commands([job.start()], { historyLength: 3, isReplaying: true });
    expect(await s.commands([job.fireTimer(1)], { historyLength: 8 })).toEqual([
      { completeWorkflowExecution: { result: [3, 8, false] } },
    ]);
  });

  it('throws outside a workflow, where inWorkflowContext is false', async () => {
    expect(inWorkflowContext()).toBe(false);
    expect(() => workflowInfo()).toThrow(/workflow execution/);
    expect(await completed(() => inWorkflowContext())).toBe(true);
  });
});

describe('search attributes', () => {
  const colour = defineSearchAttributeKey('Colour', 'KEYWORD');
  const size = defineSearchAttributeKey('Size', 'INT');

  it('upserted as typed pairs are sent and can be read at once; null removes', async () => {
    let seen: unknown[] = [];
    const s = scenario(async () => {
      upsertSearchAttributes([
        { key: colour, value: 'red' },
        { key: size, value: 3 },
      ]);
      const both = workflowInfo().typedSearchAttributes;
      upsertSearchAttributes([{ key: size, value: null }]);
      const one = workflowInfo().typedSearchAttributes;
      seen = [
        both.get(colour),
        both.get(size),
        one.get(colour),
        one.get(size),
        workflowInfo().searchAttributes,
      ];
    });
    const commands = await s.commands([job.start()]);
    expect(commands[0]).toEqual({
      upsertWorkflowSearchAttributes: { searchAttributes: { indexedFields: { Colour: 'red', Size: 3 } } },
    });
    expect(seen).toEqual(['red', 3, 'red', undefined, { Colour: ['red'] }]);
  });

  it('upserted as a record keep the type that they had, or get the one they look like', async () => {
    const keyword = defineSearchAttributeKey('Colour', 'KEYWORD');
    let seen: unknown;
    await completed(() => {
      upsertSearchAttributes([{ key: keyword, value: 'red' }]);
      const time = new Date(86_400_000);
      upsertSearchAttributes({
        Colour: ['blue'],
        Text: ['t'],
        List: ['a', 'b'],
        Int: [1],
        Double: [1.5],
        Bool: [true],
        Date: [time],
        Iso: [time.toJSON()],
      });
      const { typedSearchAttributes, searchAttributes } = workflowInfo();
      upsertSearchAttributes({ Colour: [], Text: undefined, Int: [1, 2] });
      const later = workflowInfo();
      seen = [
        Object.fromEntries(
          typedSearchAttributes.getAll().map(({ key, value }) => [key.name, [key.type, value]]),
        ),
        searchAttributes.List,
        Object.keys(later.searchAttributes),
        later.searchAttributes.Int,
      ];
    });
    const time = new Date(86_400_000);
    expect(seen).toEqual([
      {
        Colour: ['KEYWORD', 'blue'],
        Text: ['TEXT', 't'],
        List: ['KEYWORD_LIST', ['a', 'b']],
        Int: ['INT', 1],
        Double: ['DOUBLE', 1.5],
        Bool: ['BOOL', true],
        Date: ['DATETIME', time],
        Iso: ['DATETIME', time],
      },
      ['a', 'b'],
      ['List', 'Int', 'Double', 'Bool', 'Date', 'Iso'],
      [1],
    ]);
  });

  it('upserted as a record are sent as arrays', async () => {
    const s = scenario(async () => upsertSearchAttributes({ Colour: ['red'] }));
    expect((await s.commands([job.start()]))[0]).toEqual({
      upsertWorkflowSearchAttributes: { searchAttributes: { indexedFields: { Colour: ['red'] } } },
    });
  });

  it('upserted as a record are removed by undefined, which is sent as the empty list', async () => {
    const s = scenario(async () => upsertSearchAttributes({ Colour: undefined, Shape: ['round'] }));
    expect((await s.commands([job.start()]))[0]).toEqual({
      upsertWorkflowSearchAttributes: {
        searchAttributes: { indexedFields: { Colour: [], Shape: ['round'] } },
      },
    });
  });
});

it('an upsert of nothing is no command: servers refuse the task of one', async () => {
  const s = scenario(async () => {
    upsertSearchAttributes({});
    upsertSearchAttributes([]);
    upsertMemo({});
  });
  expect(await s.commands([job.start()])).toEqual([{ completeWorkflowExecution: {} }]);
});

describe('memo', () => {
  it('is empty where there is none', async () => {
    let memo: unknown;
    await completed(() => {
      memo = workflowInfo().memo;
    });
    expect(memo).toEqual({});
  });

  it('upserts merge, and null removes', async () => {
    let memo: unknown;
    const s = scenario(async () => {
      upsertMemo({ a: null, b: 2 });
      memo = workflowInfo().memo;
    });
    const [command] = await s.commands([
      job.start([], { memo: { fields: { a: payload(1), c: payload(3) } } }),
    ]);
    const { fields } = command.modifyWorkflowProperties.upsertedMemo;
    expect(Object.entries(fields)).toEqual([
      ['a', undefined],
      ['b', 2],
    ]);
    expect(memo).toEqual({ b: 2, c: 3 });
  });
});

describe('current details', () => {
  it('are empty until they are set', async () => {
    expect(
      await completed(() => {
        const before = getCurrentDetails();
        setCurrentDetails('now');
        return [before, getCurrentDetails()];
      }),
    ).toEqual(['', 'now']);
  });
});

it('reads seeds of 64 bits', async () => {
  expect(await completed(() => workflowInfo().runId, { randomnessSeed: Long.MAX_UNSIGNED_VALUE })).toBe(
    'run-1',
  );
});
