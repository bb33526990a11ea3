import { once } from 'node:events';
import { createServer, connect as dial, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { CodecResponse, LaneLost, TelemetryBatch } from '@perdure/proto/perdure/core/v1/exchange';
import {
  ConnectionUpdate,
  ReplayHistory,
  RpcCall,
  RuntimeOptions,
} from '@perdure/proto/perdure/core/v1/options';
import { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import {
  DescribeNamespaceRequest,
  GetWorkflowExecutionHistoryRequest,
  GetWorkflowExecutionHistoryResponse,
} from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import Long from 'long';
import type { ConnectionHandle, CoreRpcError, RuntimeHandle } from '.';
import {
  closedHistory,
  connect,
  Events,
  native,
  openLane,
  openRuntime,
  seen,
  startWorkflow,
  stop,
  unique,
  until,
  workerOptions,
} from './testing/hand-worker';
import { freePort } from './testing/ports';

let server: DevServer;
let runtime: RuntimeHandle;
let connection: ConnectionHandle;
let lanes = 100;

beforeAll(async () => {
  server = await startDevServer();
  runtime = openRuntime();
  connection = await connect(runtime, server.address);
}, 120_000);
afterAll(async () => {
  if (runtime) native.runtimeClose(runtime);
  await server?.stop();
});

async function failure(promise: Promise<unknown>): Promise<Error & { code: string; hint?: string }> {
  return promise.then(
    () => {
      throw new Error('it was expected to fail');
    },
    (error) => error,
  );
}

function resultOf(history: History): unknown {
  const [payload] = history.events?.at(-1)?.workflowExecutionCompletedEventAttributes?.result?.payloads ?? [];
  return payload?.data && JSON.parse(Buffer.from(payload.data).toString());
}

describe('a connection', () => {
  it('says which address did not answer', async () => {
    const error = await failure(connect(runtime, '127.0.0.1:1'));
    expect(error.message).toMatch(/^no connection to http:\/\/127\.0\.0\.1:1: .*refused/);
    expect(hasCode(error, 'CORE_CONNECT_FAILED')).toBe(true);
    expect(error.hint).toContain('address');
  });

  it('gives up on a peer that accepts and stays silent', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const begun = Date.now();
    const connectTimeoutMs = Long.fromNumber(1_000);
    const error = await failure(connect(runtime, `127.0.0.1:${port}`, { connectTimeoutMs }));
    expect(error.code).toBe('CORE_CONNECT_FAILED');
    expect(Date.now() - begun).toBeGreaterThanOrEqual(900);
    expect(Date.now() - begun).toBeLessThan(50_000); // the time of all other connections here is a minute
    silent.close();
  });

  it('refuses what is no address, no header, no message', async () => {
    expect(await failure(connect(runtime, 'a b c'))).toMatchObject({ code: 'CORE_OPTIONS_INVALID' });
    const headers = { 'not a header': 'x' };
    expect(await failure(connect(runtime, server.address, { headers }))).toMatchObject({
      code: 'CORE_OPTIONS_INVALID',
    });
    expect(await failure(native.connectionOpen(runtime, new Uint8Array([255])))).toMatchObject({
      code: 'CORE_MESSAGE_MALFORMED',
    });
  });

  it('carries the status of a refused call', async () => {
    const request = DescribeNamespaceRequest.encode({ namespace: 'nowhere' }).finish();
    const call = RpcCall.encode({ service: 'workflow', method: 'DescribeNamespace', request }).finish();
    const error = (await failure(native.connectionCall(connection, call))) as CoreRpcError;
    expect(error).toMatchObject({ name: 'CoreRpcError', code: 'CORE_RPC_FAILED', grpcCode: 5 });
    expect(error.message).toContain('nowhere');
    expect(error.details).toBeInstanceOf(Uint8Array);
  });

  it('knows the services of a worker and no others', async () => {
    for (const [service, method] of [
      ['operator', 'ListClusters'],
      ['health', 'Check'],
    ]) {
      await native.connectionCall(connection, RpcCall.encode({ service, method }).finish());
    }
    for (const [service, method] of [
      ['workflow', 'NoSuchMethod'],
      ['nothing', 'Check'],
    ]) {
      const call = RpcCall.encode({ service, method }).finish();
      expect(await failure(native.connectionCall(connection, call))).toMatchObject({
        code: 'CORE_RPC_UNKNOWN',
      });
    }
  });

  it('takes new headers and keys while it stands, and refuses bad ones', () => {
    native.connectionUpdate(
      connection,
      ConnectionUpdate.encode({ headers: { text: { 'x-test': '1' }, binary: {} } }).finish(),
    );
    const bad = ConnectionUpdate.encode({ headers: { text: { 'bad header': '1' }, binary: {} } }).finish();
    expect(() => native.connectionUpdate(connection, bad)).toThrow(
      expect.objectContaining({ code: 'CORE_OPTIONS_INVALID' }),
    );
  });
});

describe('a worker', () => {
  it('runs workflows on a lane thread and ends in order', async () => {
    const taskQueue = unique('queue');
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour: 'timer' });
    const events = new Events();
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    await native.workerValidate(worker);
    native.workerStart(worker, [lane]);
    const ids = await Promise.all(
      Array.from({ length: 20 }, (_, index) => startWorkflow(connection, taskQueue, `type-${index}`)),
    );
    const histories = await Promise.all(ids.map((id) => closedHistory(connection, id)));
    expect(histories.map(resultOf)).toEqual(ids.map((_, index) => `type-${index}`));
    expect(native.workerCachedRuns(worker)).toBeLessThanOrEqual(10);
    await stop(worker, events);
    expect(events.all).toEqual([expect.objectContaining({ pollerDrained: 'workflow' })]);
    const { activations, evictions } = await seen(thread);
    expect(activations).toBeGreaterThanOrEqual(40);
    expect(evictions).toBeGreaterThanOrEqual(20);
    await thread.terminate();
  });

  it('waits for a lane when it has none yet', async () => {
    const taskQueue = unique('queue');
    const lane = ++lanes;
    const events = new Events();
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lane]);
    const id = await startWorkflow(connection, taskQueue, 'early');
    await sleep(300);
    const thread = await openLane({ lane, behaviour: 'complete' });
    expect(resultOf(await closedHistory(connection, id))).toBe('early');
    await stop(worker, events);
    await thread.terminate();
  });

  it('gives what a lost lane had not answered to another lane, without a failed task', async () => {
    const taskQueue = unique('queue');
    const [lost, next] = [++lanes, ++lanes];
    const threads = [await openLane({ lane: lost, behaviour: 'silent' })];
    const events = new Events();
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lost]);
    const id = await startWorkflow(connection, taskQueue, 'again');
    while ((await seen(threads[0]!)).activations === 0) await sleep(20);
    threads.push(await openLane({ lane: next, behaviour: 'complete' }));
    native.workerSetLanes(worker, [next]);
    await threads[0]!.terminate();
    native.laneLost(LaneLost.encode({ lane: lost, message: 'gone' }).finish());
    const history = await closedHistory(connection, id);
    expect(resultOf(history)).toBe('again');
    expect(history.events?.some((event) => event.workflowTaskFailedEventAttributes)).toBe(false);
    await stop(worker, events);
    await threads[1]!.terminate();
  });

  it('fails the task of the guilty run with the given text, and goes on', async () => {
    const taskQueue = unique('queue');
    const [lost, next] = [++lanes, ++lanes];
    const spinning = await openLane({ lane: lost, behaviour: 'spin' });
    const events = new Events();
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lost]);
    const spins = new Promise((resolve) => spinning.once('message', resolve));
    const id = await startWorkflow(connection, taskQueue, 'endless');
    await spins;
    const { events: begun } = await firstEvents(id);
    await spinning.terminate();
    const guilty = {
      worker: native.workerNumber(worker),
      runId: begun?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId,
      message: 'it never yielded',
    };
    native.laneLost(LaneLost.encode({ lane: lost, guilty, message: 'gone' }).finish());
    const thread = await openLane({ lane: next, behaviour: 'complete' });
    native.workerSetLanes(worker, [next]);
    const history = await closedHistory(connection, id);
    expect(resultOf(history)).toBe('endless');
    const failed = history.events?.find((event) => event.workflowTaskFailedEventAttributes);
    expect(failed?.workflowTaskFailedEventAttributes?.failure?.message).toBe('it never yielded');
    await stop(worker, events);
    await thread.terminate();
  });

  it('sends payloads through the codec stage, and fails the task when that fails', async () => {
    const taskQueue = unique('queue');
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour: 'complete' });
    const events = new Events();
    const asked: string[] = [];
    const worker = native.workerOpen(
      runtime,
      connection,
      workerOptions(taskQueue, { codec: true }),
      events.listener,
    );
    events.onCodec = ({ id, encode, groups = [], workflowId = '' }) => {
      asked.push(`${encode ? 'encode' : 'decode'} ${groups.length} ${workflowId.split('-')[0]}`);
      if (asked.length === 1) {
        native.codecComplete(worker, CodecResponse.encode({ id, error: 'no key today' }).finish());
        return;
      }
      const marked = groups.map(({ payloads = [] }) => ({
        payloads: payloads.map((bytes) => {
          const payload = Payload.decode(bytes);
          return Payload.encode({ ...payload, data: Buffer.from('"sealed"') }).finish();
        }),
      }));
      native.codecComplete(worker, CodecResponse.encode({ id, groups: marked }).finish());
    };
    native.workerStart(worker, [lane]);
    const id = await startWorkflow(connection, taskQueue, 'secret');
    const history = await closedHistory(connection, id);
    expect(resultOf(history)).toBe('sealed');
    const failed = history.events?.find((event) => event.workflowTaskFailedEventAttributes);
    expect(failed?.workflowTaskFailedEventAttributes?.failure?.message).toBe('no key today');
    expect(asked).toEqual(['encode 1 secret', 'encode 1 secret']);
    await stop(worker, events);
    await thread.terminate();
  });

  it('polls once the server can be reached, when its connection is lazy', async () => {
    const taskQueue = unique('queue');
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour: 'complete' });
    const port = await freePort();
    const lazy = await connect(runtime, `127.0.0.1:${port}`, { lazy: true });
    const events = new Events();
    const worker = native.workerOpen(runtime, lazy, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lane]);
    const id = await startWorkflow(connection, taskQueue, 'patient');
    await sleep(500);
    const proxy = await forward(port, server.address);
    expect(resultOf(await closedHistory(connection, id))).toBe('patient');
    await stop(worker, events);
    expect(events.all).toEqual([expect.objectContaining({ pollerDrained: 'workflow' })]);
    await thread.terminate();
    proxy.close();
  });

  it('can be stopped while it waits for the server', async () => {
    const lazy = await connect(runtime, '127.0.0.1:1', { lazy: true });
    const events = new Events();
    const worker = native.workerOpen(runtime, lazy, workerOptions(unique('queue')), events.listener);
    native.workerStart(worker, []);
    await sleep(100);
    await stop(worker, events);
  });

  it.each([
    { workflows: true },
    { workflows: false, remoteActivities: true },
    { workflows: false, nexus: true },
    { workflows: true, localActivities: true, remoteActivities: true, nexus: true },
  ])('that has never polled is finalized at once, with %j', async (kinds) => {
    const worker = native.workerOpen(
      runtime,
      connection,
      workerOptions(unique('idle'), kinds),
      () => undefined,
    );
    await native.workerFinalize(worker);
  });

  it('is finalized after the server has turned out not to know its namespace', async () => {
    const lazy = await connect(runtime, server.address, { lazy: true });
    const events = new Events();
    const options = workerOptions(unique('lost'), {
      namespace: 'nowhere',
      workflows: false,
      remoteActivities: true,
    });
    const worker = native.workerOpen(runtime, lazy, options, events.listener);
    native.workerStart(worker, []);
    await events.drained;
    expect(events.all[0]?.fatal?.code).toBe('CORE_NAMESPACE_UNUSABLE');
    await native.workerFinalize(worker);
  });

  it('refuses a namespace that is not there, a second start and bad options', async () => {
    const events = new Events();
    const options = workerOptions(unique('queue'), { namespace: 'nowhere' });
    const worker = native.workerOpen(runtime, connection, options, events.listener);
    expect(await failure(native.workerValidate(worker))).toMatchObject({
      code: 'CORE_NAMESPACE_UNUSABLE',
      message: 'namespace "nowhere" cannot be used: NotFound: Namespace nowhere is not found.',
    });
    native.workerShutdown(worker);
    await native.workerFinalize(worker);
    const open = (bytes: Uint8Array) => () => native.workerOpen(runtime, connection, bytes, events.listener);
    expect(open(workerOptions('q', { workflows: false }))).toThrow(
      expect.objectContaining({ code: 'CORE_OPTIONS_INVALID' }),
    );
    expect(open(workerOptions('q', { workflowPollers: { fixed: 1 } }))).toThrow(
      expect.objectContaining({ code: 'CORE_OPTIONS_INVALID' }),
    );
  });

  async function firstEvents(workflowId: string): Promise<History> {
    const request = GetWorkflowExecutionHistoryRequest.encode({
      namespace: 'default',
      execution: { workflowId },
    }).finish();
    const call = RpcCall.encode({
      service: 'workflow',
      method: 'GetWorkflowExecutionHistory',
      request,
    }).finish();
    return GetWorkflowExecutionHistoryResponse.decode(await native.connectionCall(connection, call)).history!;
  }
});

describe('a replay worker', () => {
  async function replayed(
    histories: readonly ReplayHistory[],
    behaviour: 'complete' | 'timer',
    replayConcurrency: number,
  ) {
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour });
    const events = new Events();
    const options = workerOptions('replay', { replayConcurrency });
    const worker = native.replayWorkerOpen(runtime, options, events.listener);
    native.workerStart(worker, [lane]);
    for (const history of histories) await native.replayFeed(worker, ReplayHistory.encode(history).finish());
    native.replayEnd(worker);
    await native.workerFinalize(worker);
    const results = () => events.all.filter(({ replayResult }) => replayResult);
    await until(() => results().length === histories.length, 'all histories have been replayed');
    await thread.terminate();
    return events.all
      .flatMap(({ replayResult }) => replayResult ?? [])
      .sort((a, b) => Number(a.number) - Number(b.number));
  }

  let history: History;
  beforeAll(async () => {
    const taskQueue = unique('queue');
    const lane = ++lanes;
    const thread = await openLane({ lane, behaviour: 'timer' });
    const events = new Events();
    const worker = native.workerOpen(runtime, connection, workerOptions(taskQueue), events.listener);
    native.workerStart(worker, [lane]);
    history = await closedHistory(connection, await startWorkflow(connection, taskQueue, 'timed'));
    await stop(worker, events);
    await thread.terminate();
  });

  it.each([1, 3])('replays every history of a feed once, %i side by side', async (concurrency) => {
    const bytes = History.encode(history).finish();
    const feed = Array.from({ length: 60 }, (_, index) => ({ workflowId: `w-${index}`, history: bytes }));
    const results = await replayed(feed, 'timer', concurrency);
    expect(results.map(({ workflowId, failure: text }) => [workflowId, text])).toEqual(
      feed.map(({ workflowId }) => [workflowId, '']),
    );
    const runId = history.events?.[0]?.workflowExecutionStartedEventAttributes?.originalExecutionRunId;
    expect(new Set(results.map((result) => result.runId))).toEqual(new Set([runId]));
  });

  it('names event and command when the code does not fit the history', async () => {
    const feed = [{ workflowId: 'w', history: History.encode(history).finish() }];
    const [result] = await replayed(feed, 'complete', 1);
    expect(result).toMatchObject({ workflowId: 'w', nondeterminism: true });
    expect(result?.failure).toMatch(/^\[TMPRL1100\] Nondeterminism error: Complete workflow.*TimerStarted/);
  });

  it('refuses what is no history', async () => {
    const events = new Events();
    const worker = native.replayWorkerOpen(runtime, workerOptions('replay'), events.listener);
    const empty = ReplayHistory.encode({ workflowId: 'w', history: History.encode({}).finish() }).finish();
    expect(await failure(native.replayFeed(worker, empty))).toMatchObject({ code: 'CORE_HISTORY_INVALID' });
    native.replayEnd(worker);
    expect(await failure(native.replayFeed(worker, empty))).toMatchObject({
      code: expect.stringMatching(/^CORE_(HISTORY_INVALID|REPLAY_ENDED)$/),
    });
    native.workerStart(worker, []);
    await native.workerFinalize(worker);
  });
});

describe('a runtime', () => {
  it('forwards log records in batches', async () => {
    const messages: string[] = [];
    const own = openRuntime((batch) => {
      for (const { level, target, message } of TelemetryBatch.decode(batch).logs ?? []) {
        messages.push(`${level} ${target} ${message}`);
      }
    });
    const events = new Events();
    const worker = native.workerOpen(
      own,
      await connect(own, server.address),
      workerOptions(unique('q')),
      events.listener,
    );
    native.workerStart(worker, []);
    await stop(worker, events);
    const shutdown = 'INFO temporalio_sdk_core::worker Initiated shutdown';
    await until(() => messages.includes(shutdown), 'the line has been forwarded');
    native.runtimeClose(own);
    native.runtimeClose(own);
  });
});

describe('metrics', () => {
  it('are served to Prometheus', async () => {
    const port = await freePort();
    const options: RuntimeOptions = {
      logging: { filter: 'off', forward: false },
      metrics: {
        prometheus: { bindAddress: `127.0.0.1:${port}` },
        prefix: 'shop_',
        globalTags: { team: 'orders' },
      },
    };
    const own = native.runtimeOpen(RuntimeOptions.encode(options).finish(), () => undefined);
    await connect(own, server.address);
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    expect(text).toMatch(/shop_request\{[^}]*operation="GetSystemInfo"[^}]*team="orders"/);
    native.runtimeClose(own);
  });

  it('refuse an address that is none', () => {
    const options: RuntimeOptions = { metrics: { prometheus: { bindAddress: 'somewhere' } } };
    expect(() => native.runtimeOpen(RuntimeOptions.encode(options).finish(), () => undefined)).toThrow(
      expect.objectContaining({ code: 'CORE_OPTIONS_INVALID' }),
    );
  });
});

async function forward(port: number, address: string): Promise<Server> {
  const [host, target] = address.split(':') as [string, string];
  const proxy = createServer((client) => {
    const upstream = dial(Number(target), host);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  }).listen(port, '127.0.0.1');
  await once(proxy, 'listening');
  proxy.unref();
  return proxy;
}
