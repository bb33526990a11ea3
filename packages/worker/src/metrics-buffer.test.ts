import type { SinkCallRecord } from '@perdure/workflow/runtime';
import { DefaultLogger, InvalidOptionsError, MetricsBuffer, Runtime } from '.';
import { SinkDispatcher } from './sinks';

afterEach(() => {
  const runtime = Runtime.instance();
  const user = {};
  runtime.acquire(user);
  runtime.release(user);
});

function install(buffer: MetricsBuffer): Runtime {
  Runtime._instance = undefined;
  const logging = { filter: 'OFF', forward: {} };
  return Runtime.install({ telemetryOptions: { logging, metrics: { buffer } } });
}

/** A record as workflow code's meter makes it. */
function fromWorkflow(kind: string, value: number, isReplaying = false): SinkCallRecord {
  const metric = { kind, valueType: 'int', name: `w_${kind}`, unit: 'u', description: 'd' };
  const info = JSON.stringify({ workflowId: 'wf', runId: 'run', startTime: 0, unsafe: { isReplaying } });
  const args = [metric, value, { workflowType: 'flow' }];
  return { worker: 1, runId: 'run', sink: '__temporal_metrics', fn: 'record', args, info } as SinkCallRecord;
}

describe('a metrics buffer', () => {
  it('gives what the meter of the runtime records', () => {
    const buffer = new MetricsBuffer();
    expect([...buffer.retrieveUpdates()]).toEqual([]);
    const runtime = install(buffer);
    expect(runtime.metricsBuffer).toBe(buffer);
    runtime.metricMeter.createCounter('sold', 'pieces').add(2, { red: true });
    const [update, ...more] = buffer.retrieveUpdates();
    expect(more).toEqual([]);
    expect(update).toMatchObject({ metric: { kind: 'counter', name: 'sold', unit: 'pieces' }, value: 2 });
    expect(update!.attributes).toMatchObject({ red: true, service_name: 'temporal-core-sdk' });
  });

  it('gives what workflows record, and nothing of their replays', () => {
    const buffer = new MetricsBuffer();
    const lines: string[] = [];
    const logger = new DefaultLogger('TRACE', ({ message }) => lines.push(message));
    const sinks = new SinkDispatcher({}, logger, 'queue', install(buffer).metricMeter);
    for (const kind of ['counter', 'histogram', 'gauge', 'up-down-counter']) {
      sinks.call(fromWorkflow(kind, 3));
      sinks.call(fromWorkflow(kind, 4, true));
    }
    expect(
      [...buffer.retrieveUpdates()].map(({ metric, value }) => [metric.kind, metric.name, value]),
    ).toEqual([
      ['counter', 'w_counter', 3],
      ['histogram', 'w_histogram', 3],
      ['gauge', 'w_gauge', 3],
      ['up-down-counter', 'w_up-down-counter', 3],
    ]);
    expect(lines).toEqual([]);
  });

  it('refuses options and neighbours that make no sense', () => {
    expect(() => new MetricsBuffer({ maxBufferSize: 0 })).toThrow(InvalidOptionsError);
    expect(() => new MetricsBuffer({ size: 1 } as object)).toThrow(InvalidOptionsError);
    Runtime._instance = undefined;
    const buffer = new MetricsBuffer();
    const metrics = { buffer, globalTags: { a: 'b' } };
    expect(() => Runtime.install({ telemetryOptions: { metrics } })).toThrow(InvalidOptionsError);
    expect(() => Runtime.install({ telemetryOptions: { metrics: { buffer: {} } } } as any)).toThrow(
      InvalidOptionsError,
    );
  });
});
