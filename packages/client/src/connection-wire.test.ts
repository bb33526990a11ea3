/** What goes over the wire between a connection and a scripted gRPC server, also where something stands between them. */
import { InterceptingCall, type Interceptor, status } from '@grpc/grpc-js';
import {
  Client,
  Connection,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  isGrpcCancelledError,
  isGrpcServiceError,
  makeGrpcRetryInterceptor,
} from '@perdure/client';
import { eventually } from './testing/eventually';
import { type Answer, ScriptedServer } from './testing/scripted-server';
import { TcpProxy } from './testing/tcp-proxy';

const NAMED = { message: { namespaceInfo: { name: 'ns' } } };
const describeNs = ({ workflowService }: Connection) =>
  workflowService.describeNamespace({ namespace: 'ns' });
const proxies: TcpProxy[] = [];
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
});
async function proxyTo(port?: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.listen(port);
  proxies.push(proxy);
  return proxy;
}

const fastRetries = () =>
  makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ initialIntervalMs: () => 20, maxIntervalMs: () => 60 }));

async function withServer<T>(
  script: Record<string, Answer[]>,
  fn: (server: ScriptedServer, connect: (options?: ConnectionOptions) => Connection) => Promise<T>,
): Promise<T> {
  const server = new ScriptedServer();
  server.script = script;
  const address = await server.listen();
  const made: Connection[] = [];
  const connect = (options: ConnectionOptions = {}) => {
    const connection = Connection.lazy({ address, interceptors: [fastRetries()], ...options });
    made.push(connection);
    return connection;
  };
  try {
    return await fn(server, connect);
  } finally {
    for (const connection of made) await connection.close();
    server.close();
  }
}

describe('statuses that only a server gives', () => {
  it.each([status.CANCELLED, status.DEADLINE_EXCEEDED])('%s is not asked about again', async (code) => {
    await withServer({ describeNamespace: [{ code }] }, async (server, connect) => {
      const failure = await describeNs(connect()).catch((error) => error);
      expect(isGrpcServiceError(failure) && failure.code).toBe(code);
      expect(server.asked).toHaveLength(1);
    });
  });
});

describe('a connection that breaks', () => {
  it('while a call runs is made anew, and the call is repeated with its request id', async () => {
    await withServer({ signalWorkflowExecution: ['hang', { message: {} }] }, async (server, connect) => {
      const proxy = await proxyTo(server.port);
      const client = new Client({ connection: connect({ address: proxy.address }) });
      const signalled = client.workflow.getHandle('w').signal('s');
      await eventually(() => server.asked.length === 1);
      proxy.cut();
      await signalled;
      expect(server.asked.map(({ method }) => method)).toEqual(Array(2).fill('signalWorkflowExecution'));
      expect(server.asked[0]!.request.requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(server.asked[1]!.request.requestId).toBe(server.asked[0]!.request.requestId);
      expect(proxy.accepted).toBe(2);
    });
  });

  it('without a word is noticed by keep-alive', async () => {
    await withServer({ describeNamespace: ['hang', NAMED] }, async (server, connect) => {
      const proxy = await proxyTo(server.port);
      const connection = connect({
        address: proxy.address,
        channelArgs: { 'grpc.keepalive_time_ms': 200, 'grpc.keepalive_timeout_ms': 200 },
      });
      const answer = describeNs(connection);
      await eventually(() => server.asked.length === 1);
      proxy.freeze();
      expect((await answer).namespaceInfo!.name).toBe('ns');
      // A machine that stands still for a fifth of a second looks like a broken connection, too.
      expect(proxy.accepted).toBeGreaterThanOrEqual(2);
    });
  });

  it('has keep-alive and limits by default, which channelArgs override', () => {
    const { options } = Connection.lazy({ channelArgs: { 'grpc.keepalive_time_ms': 5_000 } });
    expect(options.channelArgs).toMatchObject({
      'grpc.keepalive_time_ms': 5_000,
      'grpc.keepalive_timeout_ms': 15_000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.max_receive_message_length': 128 * 1024 * 1024,
    });
  });
});

describe('a proxy', () => {
  it('is asked for the server by CONNECT, with credentials, when channelArgs say so', async () => {
    await withServer({ describeNamespace: [NAMED] }, async (server, connect) => {
      const proxy = await proxyTo();
      const target = `127.0.0.1:${server.port}`;
      const connection = connect({
        address: proxy.address,
        channelArgs: { 'grpc.http_connect_target': `dns:${target}`, 'grpc.http_connect_creds': 'me:secret' },
      });
      expect((await describeNs(connection)).namespaceInfo!.name).toBe('ns');
      const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
      expect(proxy.targets).toEqual([{ target, authorization }]);
    });
  });
});

describe('interceptors of gRPC', () => {
  it('stand around every attempt in the order given, and see method, headers and statuses', async () => {
    const seen: string[] = [];
    const watching =
      (name: string): Interceptor =>
      (options, next) => {
        seen.push(`${name} ${options.method_definition.path.split('/').at(-1)}`);
        return new InterceptingCall(next(options), {
          start(metadata, _listener, start) {
            metadata.set(`seen-by-${name}`, 'yes');
            start(metadata, {
              onReceiveStatus: (received, pass) => {
                seen.push(`${name} ${status[received.code]}`);
                pass(received);
              },
            });
          },
        });
      };
    const script = { describeNamespace: [{ code: status.UNAVAILABLE }, NAMED] };
    await withServer(script, async (server, connect) => {
      await describeNs(connect({ interceptors: [watching('outer'), fastRetries(), watching('inner')] }));
      expect(seen).toEqual([
        'outer DescribeNamespace',
        'inner DescribeNamespace',
        'inner UNAVAILABLE',
        'inner DescribeNamespace',
        'inner OK',
        'outer OK',
      ]);
      for (const { headers } of server.asked) {
        expect([headers.get('seen-by-outer'), headers.get('seen-by-inner')]).toEqual([['yes'], ['yes']]);
      }
    });
  });
});

describe('raw services', () => {
  it('take a callback in place of giving a promise', async () => {
    await withServer(
      { describeNamespace: [NAMED, { code: status.NOT_FOUND, details: 'no such' }] },
      async (_server, connect) => {
        const { workflowService } = connect();
        const ask = () =>
          new Promise<unknown[]>((resolve) => {
            const given: unknown = workflowService.describeNamespace({ namespace: 'ns' }, (...args) =>
              resolve(args),
            );
            expect(given).toBeUndefined();
          });
        expect(await ask()).toEqual([null, expect.objectContaining({ namespaceInfo: expect.anything() })]);
        expect(await ask()).toEqual([expect.objectContaining({ code: 5, details: 'no such' })]);
      },
    );
  });

  it('check health once, and watch it for as long as one listens', async () => {
    await withServer({}, async (server, connect) => {
      const { healthService } = connect();
      expect((await healthService.check({ service: 'x' })).status).toBe(1);
      expect(server.asked[0]!.request.service).toBe('x');

      const seen: unknown[] = [];
      for await (const answer of healthService.watch({})) {
        seen.push(answer.status);
        if (seen.length === 3) break;
        server.setHealth(seen.length === 1 ? 2 : 1);
      }
      expect(seen).toEqual([1, 2, 1]);
      await eventually(() => server.asked[1]!.cancelled);

      expect((await healthService.watch({})).status).toBe(1); // the first answer alone
      await eventually(() => server.asked[2]!.cancelled);

      const heard: unknown[] = [];
      healthService.watch({}, (error, answer) => heard.push(error ?? answer!.status));
      await eventually(() => heard.length === 1);
      server.setHealth(2);
      await eventually(() => heard.length === 2);
      expect(heard).toEqual([1, 2]);
    });
  });

  it('end a watch with the scope it was opened in', async () => {
    await withServer({}, async (server, connect) => {
      const connection = connect();
      const controller = new AbortController();
      const watching = connection.withAbortSignal(controller.signal, async () => {
        for await (const _ of connection.healthService.watch({})) controller.abort();
      });
      expect(isGrpcCancelledError(await watching.catch((error) => error))).toBe(true);
      await eventually(() => server.asked[0]!.cancelled);
      const late = connection.withDeadline(Date.now() + 300, async () => {
        for await (const _ of connection.healthService.watch({}));
      });
      await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    });
  });
});

describe('typed errors', () => {
  it('say what kind of answer the server gave, and keep it as their cause', async () => {
    const answers = [
      [status.PERMISSION_DENIED, 'CLIENT_PERMISSION_DENIED'],
      [status.UNAUTHENTICATED, 'CLIENT_PERMISSION_DENIED'],
      [status.DEADLINE_EXCEEDED, 'CLIENT_DEADLINE_EXCEEDED'],
      [status.CANCELLED, 'CLIENT_CALL_CANCELLED'],
      [status.NOT_FOUND, 'WORKFLOW_EXECUTION_NOT_FOUND'],
      [status.ALREADY_EXISTS, 'WORKFLOW_EXECUTION_ALREADY_STARTED'],
      [status.FAILED_PRECONDITION, 'CLIENT_RPC_FAILED'],
      [status.INVALID_ARGUMENT, 'CLIENT_RPC_FAILED'],
      [status.UNIMPLEMENTED, 'CLIENT_RPC_FAILED'],
      [status.INTERNAL, 'CLIENT_RPC_FAILED'],
    ] as const;
    await withServer({}, async (server, connect) => {
      const client = new Client({ connection: connect() });
      for (const [grpcCode, code] of answers) {
        server.script = { startWorkflowExecution: [{ code: grpcCode, details: 'because' }] };
        const failure = await client.workflow
          .start('x', { workflowId: 'w', taskQueue: 'q' })
          .catch((error) => error);
        expect([grpcCode, failure.code]).toEqual([grpcCode, code]);
        expect(isGrpcServiceError(failure.cause) && failure.cause.details).toBe('because');
      }
    });
  });
});
