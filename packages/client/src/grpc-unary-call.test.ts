/** Calls that go straight to the channel: what the way around grpc-js's own must not lose. */
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Client as GrpcClient, InterceptingCall, type Interceptor, Metadata, status } from '@grpc/grpc-js';
import {
  Connection,
  defaultGrpcRetryOptions,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@perdure/client';
import { DescribeNamespaceResponse } from '@perdure/proto/temporal/api/workflowservice/v1/request_response';
import { eventually } from './testing/eventually';
import { type Answer, ScriptedServer } from './testing/scripted-server';

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function scripted(): Promise<{ server: ScriptedServer; connection: Connection }> {
  const server = new ScriptedServer();
  const connection = Connection.lazy({ address: await server.listen() });
  ends.push(
    () => server.close(),
    () => connection.close(),
  );
  return { server, connection };
}

/** Answers HTTP/2 streams one after the other, for what no gRPC server does. */
async function byHand(answers: ((stream: ServerHttp2Stream) => void)[]): Promise<Connection> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.resume();
    stream.on('end', () => answers.shift()!(stream));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const retry = makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ initialIntervalMs: () => 1 }));
  const connection = Connection.lazy({
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    interceptors: [retry],
  });
  ends.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  ends.push(() => connection.close());
  return connection;
}

/** An answer of these bytes, if any, and this status. */
const answering =
  (code: status, message?: Uint8Array) =>
  (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(code) }));
    if (message === undefined) stream.end();
    else {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([head, message]));
    }
  };

const named = (name: string) => DescribeNamespaceResponse.encode({ namespaceInfo: { name } }).finish();
const describeNs = ({ workflowService }: Connection, namespace = 'ns') =>
  workflowService.describeNamespace({ namespace });

describe('a call without other interceptors than the retry', () => {
  it('still passes what instrumentation has put in the place of the library’s way of making calls', async () => {
    const own = GrpcClient.prototype.makeUnaryRequest;
    const seen: string[] = [];
    GrpcClient.prototype.makeUnaryRequest = function (this: GrpcClient, path: string, ...rest: any[]) {
      seen.push(path);
      return (own as any).call(this, path, ...rest);
    } as typeof own;
    ends.push(() => {
      GrpcClient.prototype.makeUnaryRequest = own;
    });
    const { server, connection } = await scripted();
    await connection.ensureConnected();
    await describeNs(connection);
    expect(seen.map((path) => path.split('/').at(-1))).toEqual(['GetSystemInfo', 'DescribeNamespace']);
    expect(server.asked.map(({ method }) => method)).toEqual(['getSystemInfo', 'describeNamespace']);
  });

  it('enters no scope of its own: promise hooks would cost the whole process from then on', async () => {
    const { connection } = await scripted();
    const entered = jest.spyOn(connection.callContextStorage, 'run');
    await connection.ensureConnected();
    await describeNs(connection);
    expect(entered).not.toHaveBeenCalled();
    await connection.withMetadata({ a: 'b' }, () => describeNs(connection));
    expect(entered).toHaveBeenCalledTimes(1);
  });

  it('carries the headers of its own namespace and of the key of the moment', async () => {
    const { server, connection } = await scripted();
    for (const [namespace, key] of [
      ['a', 'k1'],
      ['b', 'k1'],
      ['b', 'k2'],
      ['b', 'k2'],
      ['a', 'k2'],
    ] as const) {
      connection.setApiKey(key);
      await describeNs(connection, namespace);
    }
    await connection.withMetadata({ 'temporal-namespace': 'scope' }, () => describeNs(connection, 'a'));
    await describeNs(connection, 'a');
    expect(
      server.asked.map(({ headers }) => [
        headers.get('temporal-namespace')[0],
        headers.get('authorization')[0],
      ]),
    ).toEqual([
      ['a', 'Bearer k1'],
      ['b', 'Bearer k1'],
      ['b', 'Bearer k2'],
      ['b', 'Bearer k2'],
      ['a', 'Bearer k2'],
      ['scope', 'Bearer k2'],
      ['a', 'Bearer k2'],
    ]);
  });

  it('fails with the status, and with a stack that leads to the caller', async () => {
    const { server, connection } = await scripted();
    const metadata = new Metadata();
    metadata.set('why', 'because');
    server.script = { describeNamespace: [{ code: status.NOT_FOUND, details: 'no such', metadata }] };
    async function theCaller() {
      await describeNs(connection);
    }
    const failure = await theCaller().catch((error) => error);
    expect(isGrpcServiceError(failure)).toBe(true);
    expect(failure).toMatchObject({
      code: status.NOT_FOUND,
      details: 'no such',
      message: '5 NOT_FOUND: no such',
    });
    expect(failure.metadata.get('why')).toEqual(['because']);
    expect(failure.stack).toContain('theCaller');
  });

  it('fails where the status is OK and the message is missing', async () => {
    const connection = await byHand([answering(status.OK)]);
    await expect(describeNs(connection)).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: 'No message received',
    });
  });

  it('drops the message of an attempt that failed', async () => {
    const connection = await byHand([
      answering(status.UNAVAILABLE, named('first')),
      answering(status.OK, named('second')),
      answering(status.UNAVAILABLE, named('third')),
      answering(status.OK),
    ]);
    expect((await describeNs(connection)).namespaceInfo!.name).toBe('second');
    await expect(describeNs(connection)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });

  it('that is aborted before it begins ends as a cancelled one', async () => {
    const { connection } = await scripted();
    const failure = await connection
      .withAbortSignal(AbortSignal.abort(), () => describeNs(connection))
      .catch((error) => error);
    expect(failure).toMatchObject({ code: status.CANCELLED });
  });
});

const passing: Interceptor = (options, next) => new InterceptingCall(next(options));

describe.each<[string, Interceptor[]]>([
  ['straight to the channel', []],
  ['through interceptors', [passing]],
])('a call %s', (_way, others) => {
  /** A call whose answers are scripted; `waits` is settled when it begins to wait for its next attempt. */
  async function call(answers: Answer[], waitMs: number) {
    let waiting!: () => void;
    const waits = new Promise<void>((resolve) => {
      waiting = resolve;
    });
    const retry = makeGrpcRetryInterceptor({
      retryableDecider: (_attempt, { code }) => code === status.UNAVAILABLE,
      delayFunction: () => {
        waiting();
        return waitMs;
      },
    });
    const server = new ScriptedServer();
    server.script = { describeNamespace: answers };
    const connection = Connection.lazy({ address: await server.listen(), interceptors: [retry, ...others] });
    ends.push(
      () => server.close(),
      () => connection.close(),
    );
    const abort = new AbortController();
    const end = connection
      .withAbortSignal(abort.signal, () => describeNs(connection))
      .catch((error: unknown) => error as any);
    return { server, connection, waits, abort, end };
  }
  const AWAY: Answer = { code: status.UNAVAILABLE, details: 'away' };

  it('is repeated, and answered by its last attempt', async () => {
    const { server, end } = await call([AWAY, AWAY, { message: { namespaceInfo: { name: 'ns' } } }], 1);
    expect((await end).namespaceInfo.name).toBe('ns');
    expect(server.asked).toHaveLength(3);
  });

  it('ends while it waits for an attempt when it is aborted, and tells the last failure', async () => {
    const { server, waits, abort, end } = await call([AWAY], 60_000);
    await waits;
    abort.abort();
    expect(await end).toMatchObject({
      code: status.CANCELLED,
      details: 'Cancelled on client after 1 attempts; the last one failed with UNAVAILABLE: away',
    });
    expect(server.asked).toHaveLength(1);
  });

  it('ends while it waits for an attempt when its connection is closed', async () => {
    const { connection, waits, end } = await call([AWAY], 60_000);
    await waits;
    await connection.close();
    expect(await end).toMatchObject({ code: status.CANCELLED });
  });

  it('is cancelled at a later attempt, on the server, too', async () => {
    const { server, abort, end } = await call([AWAY, 'hang'], 1);
    await eventually(() => server.asked.length === 2);
    abort.abort();
    expect(await end).toMatchObject({ code: status.CANCELLED, details: 'Cancelled on client' });
    await eventually(() => server.asked[1]!.cancelled);
  });

  it('ends with a status that is not worth another attempt', async () => {
    const { server, end } = await call([AWAY, { code: status.NOT_FOUND, details: 'no such' }], 1);
    expect(await end).toMatchObject({ code: status.NOT_FOUND, details: 'no such' });
    expect(server.asked).toHaveLength(2);
  });
});
