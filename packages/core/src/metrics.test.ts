import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { type MetricsOptions, RuntimeOptions } from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import { BufferedMetricsReader, type BufferedMetricUpdate, coreMetricMeter, type RuntimeHandle } from '.';
import { startRecorder } from './testing/grpc-recorder';
import {
  closedHistory,
  connect,
  Events,
  native,
  openLane,
  startWorkflow,
  stop,
  unique,
  until,
  workerOptions,
} from './testing/hand-worker';
import { type OtlpPoint, otlpPoints } from './testing/otlp';
import { freePort } from './testing/ports';

let server: DevServer;
beforeAll(async () => {
  server = await startDevServer();
}, 120_000);
afterAll(() => server?.stop());

const opened: RuntimeHandle[] = [];
afterEach(() => {
  for (const runtime of opened.splice(0)) native.runtimeClose(runtime);
});

function openRuntime(metrics?: MetricsOptions): RuntimeHandle {
  const options: RuntimeOptions = { logging: { filter: 'off', forward: false }, metrics };
  const runtime = native.runtimeOpen(RuntimeOptions.encode(options).finish(), () => undefined);
  opened.push(runtime);
  return runtime;
}

/** One record of each kind. */
function recordAll(runtime: RuntimeHandle): void {
  const meter = coreMetricMeter(() => runtime).withTags({ shop: 'north', level: 3 });
  const sold = meter.createCounter('sold', 'pieces', 'Pieces sold');
  sold.add(2);
  sold.withTags({ colour: 'red' }).add(5, { urgent: true });
  sold.add(1);
  meter.createHistogram('weight', 'float', 'kg').record(1.5);
  meter.createHistogram('length', 'int', 'mm').record(700);
  meter.createGauge('stock').set(40);
  meter.createGauge('load', 'float').set(0.25);
  const open = meter.createUpDownCounter!('open');
  open.add(3);
  open.add(-1);
}

describe('Prometheus', () => {
  it('is served what user code records, next to what the core records', async () => {
    const port = await freePort();
    const runtime = openRuntime({
      prometheus: { bindAddress: `127.0.0.1:${port}`, histogramBuckets: { weight: { bounds: [1, 2] } } },
      prefix: 'temporal_',
      globalTags: { team: 'orders' },
      attachServiceName: true,
    });
    await connect(runtime, server.address);
    recordAll(runtime);
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect(answer.status).toBe(200);
    const lines = (await answer.text()).split('\n');
    const value = (name: string, ...tags: string[]) => {
      const line = lines.find(
        (each) => each.startsWith(`${name}{`) && tags.every((tag) => each.includes(tag)),
      );
      return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
    };
    const common = ['shop="north"', 'level="3"', 'team="orders"', 'service_name="temporal-core-sdk"'];
    expect(value('sold', ...common)).toBe(3);
    expect(value('sold', ...common, 'colour="red"', 'urgent="true"')).toBe(5);
    expect(value('weight_sum', ...common)).toBe(1.5);
    expect(value('weight_bucket', ...common, 'le="1"')).toBe(0);
    expect(value('weight_bucket', ...common, 'le="2"')).toBe(1);
    expect(value('length_sum', ...common)).toBe(700);
    expect(value('stock', ...common)).toBe(40);
    expect(value('load', ...common)).toBe(0.25);
    expect(value('open', ...common)).toBe(2);
    expect(lines).toContain('# HELP sold Pieces sold');
    expect(value('temporal_request', 'operation="GetSystemInfo"', 'team="orders"')).toBeGreaterThan(0);
  });
});

describe('an OTLP collector', () => {
  /** Waits until all that `recordAll` records has arrived, and looks at it. */
  async function check(points: () => OtlpPoint[], delta: boolean): Promise<void> {
    const found = (name: string) => points().filter((point) => point.name === name);
    const sold = () => found('sold').filter((point) => !('colour' in point.tags));
    // An export may come between two records of one metric: its parts add up where they are deltas.
    const total = (parts: OtlpPoint[]) =>
      delta ? parts.reduce((sum, { value }) => sum + value, 0) : (parts.at(-1)?.value ?? 0);
    const whole = () => total(sold()) === 3 && total(found('open')) === 2;
    await until(() => whole() && found('temporal_request').length > 0, 'all metrics have been exported');
    const tags = { shop: 'north', level: 3, service_name: 'temporal-core-sdk' };
    const resource = expect.objectContaining({ team: 'orders' });
    const value = expect.any(Number);
    for (const part of sold())
      expect(part).toEqual({ name: 'sold', unit: 'pieces', kind: 'sum', value, delta, tags, resource });
    const red = found('sold').find((point) => point.tags.colour === 'red');
    expect(red).toMatchObject({ value: 5, tags: { ...tags, colour: 'red', urgent: true } });
    expect(found('weight')[0]).toMatchObject({ kind: 'histogram', value: 1, sum: 1.5, unit: 'kg', delta });
    expect(found('length')[0]).toMatchObject({ kind: 'histogram', value: 1, sum: 700 });
    expect(found('stock')[0]).toMatchObject({ kind: 'gauge', value: 40 });
    expect(found('load')[0]).toMatchObject({ kind: 'gauge', value: 0.25 });
    expect(found('open')[0]).toMatchObject({ kind: 'sum' });
    expect(found('temporal_request')[0]).toMatchObject({ kind: 'sum', resource });
  }

  it('gets metrics over HTTP, with the headers it wants', async () => {
    const seen: { headers: IncomingHttpHeaders; path?: string; body: Buffer }[] = [];
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => {
        seen.push({ headers: request.headers, path: request.url, body: Buffer.concat(chunks) });
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
      });
    }).listen(0, '127.0.0.1');
    await once(collector, 'listening');
    const runtime = openRuntime({
      otlp: {
        url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/metrics`,
        http: true,
        headers: { 'x-key': 'secret' },
        exportIntervalMs: Long.fromNumber(100),
        deltaTemporality: true,
      },
      prefix: 'temporal_',
      globalTags: { team: 'orders' },
      attachServiceName: true,
    });
    await connect(runtime, server.address);
    recordAll(runtime);
    await check(() => seen.flatMap(({ body }) => otlpPoints(body)), true);
    expect(seen[0]).toMatchObject({ path: '/v1/metrics', headers: { 'x-key': 'secret' } });
    native.runtimeClose(runtime);
    collector.closeAllConnections();
    collector.close();
  });

  it('gets metrics over gRPC', async () => {
    const collector = await startRecorder();
    const runtime = openRuntime({
      otlp: {
        url: `grpc://${collector.address}`,
        headers: { 'x-key': 'secret' },
        exportIntervalMs: Long.fromNumber(100),
      },
      prefix: 'temporal_',
      globalTags: { team: 'orders' },
      attachServiceName: true,
    });
    await connect(runtime, server.address);
    recordAll(runtime);
    await check(() => collector.calls.flatMap(({ body }) => otlpPoints(body)), false);
    expect(collector.calls[0]).toMatchObject({
      path: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
      headers: { 'x-key': 'secret' },
    });
    native.runtimeClose(runtime);
    collector.close();
  });

  it('may be away: nothing fails but its address', async () => {
    const away = { url: 'http://127.0.0.1:1', exportIntervalMs: Long.fromNumber(50) };
    for (const http of [false, true]) {
      const runtime = openRuntime({ otlp: { ...away, http } });
      recordAll(runtime);
      await sleep(150);
      recordAll(runtime);
    }
    for (const url of ['', 'somewhere', 'ftp://127.0.0.1:1', 'http://']) {
      expect(() => openRuntime({ otlp: { url } })).toThrow(
        expect.objectContaining({
          code: 'CORE_OPTIONS_INVALID',
          message: expect.stringContaining(`"${url}"`),
        }),
      );
    }
  });
});

describe('buffered metrics', () => {
  const buffered = (secondsForDurations: boolean, maxSize = 10_000) =>
    openRuntime({ buffer: { maxSize, secondsForDurations }, prefix: 'temporal_', attachServiceName: true });

  it('are what user code has recorded, in its order, with one object per metric and tag set', () => {
    const runtime = buffered(false);
    const reader = new BufferedMetricsReader();
    recordAll(runtime);
    const first = reader.read(native.metricFetch(runtime));
    const short = ({ metric, value }: BufferedMetricUpdate) => [
      metric.kind,
      metric.valueType,
      metric.name,
      value,
    ];
    expect(first.map(short)).toEqual([
      ['counter', 'int', 'sold', 2],
      ['counter', 'int', 'sold', 5],
      ['counter', 'int', 'sold', 1],
      ['histogram', 'float', 'weight', 1.5],
      ['histogram', 'int', 'length', 700],
      ['gauge', 'int', 'stock', 40],
      ['gauge', 'float', 'load', 0.25],
      ['up-down-counter', 'int', 'open', 3],
      ['up-down-counter', 'int', 'open', -1],
    ]);
    expect(first[0]!.metric).toMatchObject({ unit: 'pieces', description: 'Pieces sold' });
    expect(first[1]!.attributes).toEqual({
      shop: 'north',
      level: 3,
      colour: 'red',
      urgent: true,
      service_name: 'temporal-core-sdk',
    });
    expect(reader.read(native.metricFetch(runtime))).toEqual([]);
    recordAll(runtime);
    const second = reader.read(native.metricFetch(runtime));
    expect(second.map(short)).toEqual(first.map(short));
    second.forEach(({ metric, attributes }, index) => {
      expect(metric).toBe(first[index]!.metric);
      expect(attributes).toBe(first[index]!.attributes);
    });
  });

  it.each([
    [false, 'ms', 'int'],
    [true, 's', 'float'],
  ] as const)('are those of the core, durations in seconds: %s', async (seconds, unit, valueType) => {
    const runtime = buffered(seconds);
    const connection = await connect(runtime, server.address);
    const lane = seconds ? 501 : 500;
    const thread = await openLane({ lane, behaviour: 'complete' });
    const events = new Events();
    const taskQueue = unique('metrics');
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lane]);
    await closedHistory(connection, await startWorkflow(connection, taskQueue, 'measured'));
    await stop(worker, events);
    await thread.terminate();
    const updates = new BufferedMetricsReader().read(native.metricFetch(runtime));
    const completed = updates.find(({ metric }) => metric.name === 'temporal_workflow_completed');
    expect(completed).toMatchObject({
      value: 1,
      attributes: { workflow_type: 'measured', task_queue: taskQueue },
    });
    const latency = updates.find(({ metric }) => metric.name === 'temporal_workflow_task_execution_latency');
    expect(latency?.metric).toMatchObject({ kind: 'histogram', unit, valueType });
    expect(updates.every(({ metric, attributes }) => metric && attributes)).toBe(true);
  });

  it('lose what a full buffer cannot take, and nothing else', () => {
    const runtime = buffered(false, 50);
    const reader = new BufferedMetricsReader();
    const counter = coreMetricMeter(() => runtime).createCounter('many');
    for (let index = 0; index < 500; index += 1) counter.add(1);
    const kept = reader.read(native.metricFetch(runtime));
    expect(kept.length).toBeGreaterThan(10);
    expect(kept.length).toBeLessThanOrEqual(50);
    counter.add(7);
    expect(reader.read(native.metricFetch(runtime)).map(({ value }) => value)).toEqual([7]);
  });
});

describe('a meter', () => {
  it('refuses values that its metric cannot take', () => {
    const runtime = openRuntime({ buffer: { maxSize: 100 } });
    const meter = coreMetricMeter(() => runtime);
    const refused = expect.objectContaining({ name: 'CoreError', code: 'CORE_OPTIONS_INVALID' });
    expect(() => meter.createCounter('c').add(-1)).toThrow(refused);
    expect(() => meter.createGauge('g', 'float').set(Number.NaN)).toThrow(refused);
    expect(() => meter.createHistogram('h').record(Number.POSITIVE_INFINITY)).toThrow(refused);
    expect(() => meter.createCounter('').add(1)).toThrow(refused);
    expect(native.metricFetch(runtime)).toBeDefined();
  });

  it('leads nowhere while metrics are off, and after the end of its runtime', () => {
    const off = openRuntime();
    recordAll(off);
    expect(native.metricFetch(off)).toHaveLength(0);
    const ended = openRuntime({ buffer: { maxSize: 100 } });
    native.runtimeClose(ended);
    recordAll(ended);
    expect(new BufferedMetricsReader().read(native.metricFetch(ended))).toEqual([]);
  });
});
