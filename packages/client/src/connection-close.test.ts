/** What becomes of the calls of a connection that is closed: none of them lives on. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  isGrpcCancelledError,
  makeGrpcRetryInterceptor,
} from '@perdure/client';
import { eventually } from './testing/eventually';
import { type Answer, ScriptedServer } from './testing/scripted-server';

const servers: ScriptedServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
async function serve(script: Record<string, Answer[]>) {
  const server = new ScriptedServer();
  servers.push(server);
  server.script = script;
  return { server, address: await server.listen() };
}

/** How a call ended; fails where it goes on for as long as a long poll does. */
async function endOf(call: Promise<unknown>): Promise<any> {
  const end = call.catch((error) => error);
  return await Promise.race([end, sleep(60_000, 'still under way', { ref: false })]);
}

describe('closing a connection', () => {
  it('cancels every call under way, here and on the server', async () => {
    const { server, address } = await serve({
      getWorkflowExecutionHistory: ['hang'],
      describeNamespace: ['hang'],
      getSystemInfo: [{ message: {} }],
    });
    const connection = await Connection.connect({ address });
    const client = new Client({ connection });
    const result = client.workflow.getHandle('w').result();
    const raw = connection.workflowService.describeNamespace({ namespace: 'ns' });
    const hanging = () => server.asked.filter(({ method }) => method !== 'getSystemInfo');
    await eventually(() => hanging().length === 2);
    const ends = [endOf(result), endOf(raw)];
    await connection.close();
    expect(await ends[0]).toMatchObject({ code: 'CLIENT_CALL_CANCELLED' });
    expect(await ends[1]).toMatchObject({ code: status.CANCELLED });
    await eventually(() => hanging().every(({ cancelled }) => cancelled));
    await expect(client.workflow.getHandle('w').result()).rejects.toMatchObject({ code: 'ILLEGAL_STATE' });
    await connection.close(); // again, to no effect
  });

  it('cancels a call that is at a later attempt', async () => {
    const { server, address } = await serve({ describeNamespace: [{ code: status.UNAVAILABLE }, 'hang'] });
    const retry = makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ initialIntervalMs: () => 10 }));
    const connection = Connection.lazy({ address, interceptors: [retry] });
    const end = endOf(connection.workflowService.describeNamespace({ namespace: 'ns' }));
    await eventually(() => server.asked.length === 2);
    await connection.close();
    expect(isGrpcCancelledError(await end)).toBe(true);
    await eventually(() => server.asked[1]!.cancelled);
  });

  it('ends a health watch', async () => {
    const { server, address } = await serve({});
    const connection = Connection.lazy({ address });
    const seen: unknown[] = [];
    const watching = endOf(
      (async () => {
        for await (const answer of connection.healthService.watch({})) seen.push(answer.status);
      })(),
    );
    await eventually(() => seen.length === 1);
    await connection.close();
    expect(isGrpcCancelledError(await watching)).toBe(true);
    await eventually(() => server.watchers.size === 0);
  });

  it('cancels a call that still waits for the connection', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const connection = Connection.lazy({ address: `127.0.0.1:${(silent.address() as AddressInfo).port}` });
      const end = endOf(connection.workflowService.getSystemInfo({}));
      await eventually(() => sockets.length === 1);
      await connection.close();
      expect(isGrpcCancelledError(await end)).toBe(true);
    } finally {
      for (const socket of sockets) socket.destroy(); // grpc-js keeps a connection whose handshake was never answered
      silent.close();
    }
  });

  it('ends an attempt to connect, for which nobody is at fault', async () => {
    const { server, address } = await serve({ getSystemInfo: ['hang'] });
    const connection = Connection.lazy({ address });
    const end = endOf(connection.ensureConnected());
    await eventually(() => server.asked.length === 1);
    await connection.close();
    expect(await end).toMatchObject({ code: 'CLIENT_CALL_CANCELLED', cause: { code: status.CANCELLED } });
  });

  it('forgets the calls that have ended', async () => {
    const { address } = await serve({ getSystemInfo: [{ message: {} }, { code: status.NOT_FOUND }] });
    const connection = Connection.lazy({ address });
    await connection.workflowService.getSystemInfo({});
    await endOf(connection.workflowService.getSystemInfo({}));
    await connection.healthService.watch({});
    const { running } = connection as unknown as { running: Set<unknown> };
    await eventually(() => running.size === 0);
    await connection.close();
  });
});

describe('an attempt to connect', () => {
  it('ends with the deadline or the signal of its scope, and may be made again', async () => {
    const { server, address } = await serve({ getSystemInfo: ['hang'] });
    const connection = Connection.lazy({ address });
    const ensure = () => connection.ensureConnected();
    expect(await endOf(connection.withDeadline(new Date(Date.now() + 200), ensure))).toMatchObject({
      code: 'CLIENT_CONNECTION_FAILED',
      fault: 'timeout',
    });
    const before = server.asked.length;
    const abort = new AbortController();
    const aborted = endOf(connection.withAbortSignal(abort.signal, ensure));
    await eventually(() => server.asked.length > before);
    abort.abort();
    expect(await aborted).toMatchObject({ code: 'CLIENT_CALL_CANCELLED' });
    server.script = { getSystemInfo: [{ message: {} }] };
    await connection.ensureConnected();
    await connection.close();
  });
});
