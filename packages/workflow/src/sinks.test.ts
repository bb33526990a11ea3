import { defineQuery, log, metricMeter, proxySinks, type Sinks, setHandler, sleep } from './index';
import { workflowConsole } from './log';
import { job, scenario } from './testing/scenario';

interface MySinks extends Sinks {
  alerts: { raise(what: string): void };
}

describe('a sink', () => {
  it('is called after the activation, with plain arguments and the info of the run', async () => {
    const { alerts } = proxySinks<MySinks>();
    const s = scenario(async () => alerts.raise('fire'));
    const { sinkCalls } = await s.activate([job.start()]);
    expect(sinkCalls).toHaveLength(1);
    expect(sinkCalls[0]).toMatchObject({
      worker: 1,
      runId: 'run-1',
      sink: 'alerts',
      fn: 'raise',
      args: ['fire'],
    });
    expect(JSON.parse(sinkCalls[0]!.info)).toMatchObject({
      workflowId: 'workflow-1',
      startTime: 1_699_999_999_000,
      unsafe: { isReplaying: false },
    });
    expect(s.api.takeSinkCalls()).toBeUndefined();
  });

  it('is called on replay only if it asked for that', async () => {
    const { alerts, audit } = proxySinks<any>();
    const s = scenario(
      async () => {
        alerts.raise('a');
        audit.note('b');
      },
      { registration: { replayingSinks: ['audit.note'] } },
    );
    const { sinkCalls } = await s.activate([job.start()], { isReplaying: true });
    expect(sinkCalls.map((call) => call.sink)).toEqual(['audit']);
  });

  it('can be called whatever a payload converter made of the memo', async () => {
    const cyclic: { self?: unknown } = {};
    cyclic.self = cyclic;
    for (const [made, memo] of [
      [{ cents: 5n }, { price: { cents: '5' } }],
      [cyclic, undefined],
    ] as const) {
      const payloadConverter = { toPayload: () => ({}), fromPayload: () => made };
      const s = scenario(async () => log.info('hello'), { payloadConverter });
      const outcome = await s.activate([job.start([], { memo: { fields: { price: {} } } })]);
      expect(outcome.failed).toBeUndefined();
      const info = JSON.parse(outcome.sinkCalls[0]!.info);
      expect([info.workflowId, info.memo]).toEqual(['workflow-1', memo]);
    }
  });

  it('cannot be called outside a workflow', () => {
    expect(() => proxySinks<MySinks>().alerts.raise('x')).toThrow(/workflow execution/);
  });

  it('call of a task that fails is still made', async () => {
    const s = scenario(async () => {
      log.error('about to fail');
      throw new Error('failed');
    });
    const outcome = await s.activate([job.start()]);
    expect(outcome.failed).toBe('failed');
    expect(outcome.sinkCalls.map(({ args }) => args[0])).toEqual(['about to fail', 'Workflow failed']);
  });
});

describe('log', () => {
  it('writes levels and fields, and nothing on replay', async () => {
    const s = scenario(async () => {
      log.info('first', { a: 1 });
      log.log('WARN', 'second');
      await sleep(1);
      log.warn('third');
    });
    expect((await s.activate([job.start()], { isReplaying: true })).sinkCalls).toEqual([]);
    const { sinkCalls } = await s.activate([job.fireTimer(1)]);
    expect(sinkCalls.map(({ sink, fn, args }) => [sink, fn, args[0]])).toEqual([
      ['__temporal_logger', 'warn', 'third'],
    ]);
    expect(sinkCalls[0]?.args[1]).toMatchObject({
      sdkComponent: 'workflow',
      workflowType: 'wf',
      workflowId: 'workflow-1',
      runId: 'run-1',
      taskQueue: 'test-queue',
      namespace: 'test-namespace',
    });
  });
});

describe('log in a query handler', () => {
  it('writes also while the history is replayed', async () => {
    const s = scenario(async () => {
      setHandler(defineQuery('q'), () => log.info('asked'));
      await sleep(1);
    });
    await s.commands([job.start()], { isReplaying: true });
    const { sinkCalls } = await s.activate([job.query('q')], { isReplaying: true });
    expect(sinkCalls.map((call) => call.args[0])).toEqual(['asked']);
  });
});

describe('console', () => {
  it('prefixes lines with type and id, shows any value, and is silent on replay', async () => {
    const hostile = {
      toJSON() {
        throw new Error('no');
      },
    };
    const write = async () => workflowConsole.log('text', { a: 1 }, 2n, hostile, undefined);
    const { sinkCalls } = await scenario(write).activate([job.start()]);
    expect(sinkCalls[0]).toMatchObject({ sink: '__temporal_console', fn: 'info' });
    expect(sinkCalls[0]?.args).toEqual([
      '[wf(workflow-1)] text {"a":1} 2 [a value that cannot be shown] undefined',
    ]);
    expect((await scenario(write).activate([job.start()], { isReplaying: true })).sinkCalls).toEqual([]);
  });
});

describe('metrics', () => {
  it('are recorded with their tags, and not on replay', async () => {
    const record = async () => {
      metricMeter
        .withTags({ a: 1 })
        .createHistogram('h', 'float', 'ms', 'text')
        .withTags({ b: 2 })
        .record(1.5, { c: 3 });
      metricMeter.createGauge('g').set(4);
      metricMeter.createUpDownCounter!('u').add(-1);
    };
    const { sinkCalls } = await scenario(record).activate([job.start()]);
    expect(sinkCalls[0]?.args).toEqual([
      { kind: 'histogram', valueType: 'float', name: 'h', unit: 'ms', description: 'text' },
      1.5,
      { namespace: 'test-namespace', taskQueue: 'test-queue', workflowType: 'wf', a: 1, b: 2, c: 3 },
    ]);
    expect(sinkCalls.slice(1).map((call) => [(call.args[0] as any).kind, call.args[1]])).toEqual([
      ['gauge', 4],
      ['up-down-counter', -1],
    ]);
    expect((await scenario(record).activate([job.start()], { isReplaying: true })).sinkCalls).toEqual([]);
  });

  it('refuse negative values where they make no sense', async () => {
    const outcome = await scenario(async () => metricMeter.createCounter('c').add(-1)).activate([
      job.start(),
    ]);
    expect(outcome.failed).toMatch(/non-negative/);
  });
});
