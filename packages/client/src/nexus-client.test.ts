/** The requests of the Nexus client and its errors; what its calls do on a server is tested with a worker in tests/. */
import { status } from '@grpc/grpc-js';
import {
  Client,
  Connection,
  decodeNexusOperationCancellationState,
  decodeNexusOperationExecutionStatus,
  decodeNexusOperationIdConflictPolicy,
  decodeNexusOperationIdReusePolicy,
  decodePendingNexusOperationState,
  encodeNexusOperationCancellationState,
  encodeNexusOperationExecutionStatus,
  encodeNexusOperationIdConflictPolicy,
  encodeNexusOperationIdReusePolicy,
  encodePendingNexusOperationState,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  type NexusClient,
  NexusOperationAlreadyStartedError,
  NexusOperationFailureError,
  NexusOperationNotFoundError,
  ServerFeatureUnavailableError,
  ServiceError,
  ValueError,
} from '@perdure/client';
import { ApplicationFailure, defaultFailureConverter, defaultPayloadConverter } from '@perdure/common';
import { startDevServer } from '@perdure/dev-server';
import {
  NexusOperationCancellationState,
  PendingNexusOperationState,
} from '@perdure/proto/temporal/api/enums/v1/common';
import {
  NexusOperationExecutionStatus,
  NexusOperationIdConflictPolicy,
  NexusOperationIdReusePolicy,
  NexusOperationWaitStage,
} from '@perdure/proto/temporal/api/enums/v1/nexus';
import * as nexus from 'nexus-rpc';
import { eventually } from './testing/eventually';
import { type Answer, ScriptedServer } from './testing/scripted-server';

const service = nexus.service('billing', { charge: nexus.operation<number, string>({ name: 'charge-op' }) });

async function failureOf(running: Promise<unknown>): Promise<any> {
  try {
    await running;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

async function collect<T>(all: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of all) items.push(item);
  return items;
}

async function scripted<T>(
  script: Record<string, Answer[]>,
  fn: (client: NexusClient, server: ScriptedServer) => Promise<T>,
): Promise<T> {
  const server = new ScriptedServer();
  server.script = script;
  const connection = await Connection.connect({ address: await server.listen() });
  server.asked.length = 0;
  try {
    return await fn(new Client({ connection, identity: 'me', namespace: 'ns' }).nexus, server);
  } finally {
    await connection.close();
    server.close();
  }
}

const requestsOf = (server: ScriptedServer, method: string) =>
  server.asked.filter((asked) => asked.method === method).map(({ request }) => request);

describe('the traffic', () => {
  it('repeats what failed on the way with the same request', async () => {
    const twice: Answer[] = [{ code: status.UNAVAILABLE }, { message: { runId: 'r', started: true } }];
    const methods = [
      'startNexusOperationExecution',
      'requestCancelNexusOperationExecution',
      'terminateNexusOperationExecution',
    ];
    const script = Object.fromEntries(methods.map((method) => [method, [...twice]]));
    await scripted(script, async (client, server) => {
      const billing = client.createServiceClient({ endpoint: 'e', service });
      const handle = await billing.startOperation('charge', 5, {
        id: 'o',
        scheduleToCloseTimeout: '3s',
        scheduleToStartTimeout: 2_000,
        startToCloseTimeout: '1s',
        idReusePolicy: 'REJECT_DUPLICATE',
        idConflictPolicy: 'USE_EXISTING',
        headers: { 'x-trace': 't' },
        summary: 's',
      });
      expect(handle).toMatchObject({ operationId: 'o', runId: 'r', client });
      await handle.cancel('c');
      await handle.terminate('t');
      for (const method of methods) {
        const [first, second, ...more] = requestsOf(server, method);
        expect(more).toEqual([]);
        expect(second).toEqual(first);
        expect(first).toMatchObject({ namespace: 'ns', identity: 'me', operationId: 'o' });
        expect(first.requestId).toMatch(/^[0-9a-f-]{36}$/);
      }
      const [start] = requestsOf(server, 'startNexusOperationExecution');
      expect(start).toMatchObject({
        endpoint: 'e',
        service: 'billing',
        operation: 'charge-op',
        idReusePolicy: NexusOperationIdReusePolicy.NEXUS_OPERATION_ID_REUSE_POLICY_REJECT_DUPLICATE,
        idConflictPolicy: NexusOperationIdConflictPolicy.NEXUS_OPERATION_ID_CONFLICT_POLICY_USE_EXISTING,
        nexusHeader: { 'x-trace': 't' },
      });
      const { scheduleToCloseTimeout, scheduleToStartTimeout, startToCloseTimeout } = start;
      const timeouts = [scheduleToCloseTimeout, scheduleToStartTimeout, startToCloseTimeout];
      expect(timeouts.map(({ seconds }) => seconds.toNumber())).toEqual([3, 2, 1]);
      expect(defaultPayloadConverter.fromPayload(start.input)).toBe(5);
      expect(requestsOf(server, methods[1]!)[0]).toMatchObject({ runId: 'r', reason: 'c' });
      expect(requestsOf(server, methods[2]!)[0]).toMatchObject({ runId: 'r', reason: 't' });
    });
  });

  it('waits for the end of the run that was the latest when the wait began', async () => {
    const closed = NexusOperationWaitStage.NEXUS_OPERATION_WAIT_STAGE_CLOSED;
    const result = defaultPayloadConverter.toPayload('out');
    const answers: Answer[] = [
      { message: { runId: 'first', waitStage: 1, operationToken: 'token' } },
      { message: { runId: 'first', waitStage: closed, result } },
    ];
    await scripted({ pollNexusOperationExecution: answers }, async (client, server) => {
      expect(await client.getHandle<string>('o').result()).toBe('out');
      const polls = requestsOf(server, 'pollNexusOperationExecution');
      expect(polls.map(({ runId, waitStage }) => [runId, waitStage])).toEqual([
        ['', closed],
        ['first', closed],
      ]);
    });
  });

  it('asks once for an outcome, and again after what was none', async () => {
    const failure = defaultFailureConverter.errorToFailure(
      ApplicationFailure.create({ message: 'broken', type: 'Bad' }),
      defaultPayloadConverter,
    );
    const answers: Answer[] = [{ code: status.PERMISSION_DENIED }, { message: { failure } }, { message: {} }];
    await scripted({ pollNexusOperationExecution: answers }, async (client, server) => {
      const handle = client.getHandle('o');
      expect(await failureOf(handle.result())).toMatchObject({ cause: { code: status.PERMISSION_DENIED } });
      const error = await failureOf(handle.result());
      expect(error).toBeInstanceOf(NexusOperationFailureError);
      expect(error).toMatchObject({ message: 'Nexus operation failed: broken', cause: { type: 'Bad' } });
      expect(await failureOf(handle.result())).toBe(error);
      expect(server.asked).toHaveLength(2);
    });
  });

  it('ends a wait with the deadline or the signal', async () => {
    await scripted({ pollNexusOperationExecution: ['hang'] }, async (client, server) => {
      const handle = client.getHandle('o');
      const late = await failureOf(client.withDeadline(Date.now() + 150, () => handle.result()));
      expect(late).toBeInstanceOf(ServiceError);
      expect(isGrpcDeadlineError(late)).toBe(true);
      const before = server.asked.length; // none where a slow machine has not sent it in time
      expect(before).toBeLessThanOrEqual(1);
      const abort = new AbortController();
      const aborted = failureOf(client.withAbortSignal(abort.signal, () => handle.result()));
      await eventually(() => server.asked.length > before);
      abort.abort();
      expect(isGrpcCancelledError(await aborted)).toBe(true);
      expect(server.asked).toHaveLength(before + 1);
    });
  });

  it('asks for the next page when that is needed, and not before', async () => {
    const page = (id: string, token: string): Answer => ({
      message: { operations: [{ operationId: id, status: 1 }], nextPageToken: Buffer.from(token) },
    });
    const script = { listNexusOperationExecutions: [page('a', 'one'), page('b', 'two'), page('c', '')] };
    await scripted(script, async (client, server) => {
      for await (const { operationId } of client.list({ query: 'q', pageSize: 1 }))
        if (operationId === 'b') break;
      const asked = requestsOf(server, 'listNexusOperationExecutions');
      expect(
        asked.map((each) => [each.query, each.pageSize, Buffer.from(each.nextPageToken).toString()]),
      ).toEqual([
        ['q', 1, ''],
        ['q', 1, 'one'],
      ]);
      expect((await collect(client.list())).map(({ operationId }) => operationId)).toEqual(['c']);
    });
  });

  it('knows what a failed call is about', async () => {
    const script: Record<string, Answer[]> = {
      startNexusOperationExecution: [
        { code: status.ALREADY_EXISTS, details: 'there is one' },
        { code: status.NOT_FOUND, details: 'no endpoint e' },
      ],
      describeNexusOperationExecution: [{ code: status.NOT_FOUND, details: 'unknown' }, { message: {} }],
      countNexusOperationExecutions: [
        { message: { count: 1, groups: [{ count: 1, groupValues: [{ data: Buffer.from('1') }] }] } },
      ],
    };
    await scripted(script, async (client) => {
      const billing = client.createServiceClient({ endpoint: 'e', service });
      const start = () => billing.startOperation('charge', 1, { id: 'o' });
      const taken = await failureOf(start());
      expect(taken).toBeInstanceOf(NexusOperationAlreadyStartedError);
      expect(taken).toMatchObject({ operationId: 'o', runId: undefined, cause: { details: 'there is one' } });
      const nowhere = await failureOf(start());
      expect(nowhere).not.toBeInstanceOf(NexusOperationNotFoundError);
      expect(nowhere.message).toBe('Failed to start Nexus operation: no endpoint e');
      const handle = client.getHandle('o', { runId: 'r' });
      expect(await failureOf(handle.describe())).toBeInstanceOf(NexusOperationNotFoundError);
      expect((await failureOf(handle.describe())).message).toContain('is empty');
      expect((await failureOf(client.count())).message).toContain('no known type');
    });
  });

  it('is none where the options cannot be', async () => {
    await scripted({}, async (client, server) => {
      const billing = client.createServiceClient({ endpoint: '', service });
      const error = await failureOf(billing.startOperation('charge', 1, { id: 7 as any }));
      expect(error).toBeInstanceOf(ValueError);
      expect(error.message).toMatch(/id must.*endpoint must/);
      expect(server.asked).toEqual([]);
    });
  });
});

describe('a server without operations of their own', () => {
  it('is told apart by an error that names the setting', async () => {
    const server = await startDevServer({ useExisting: false }); // off by default
    const connection = await Connection.connect({ address: server.address });
    try {
      const client = new Client({ connection }).nexus;
      const handle = client.getHandle('o');
      const billing = client.createServiceClient({ endpoint: 'e', service });
      const calls: [string, () => Promise<unknown>][] = [
        ['startOperation', () => billing.startOperation('charge', 1, { id: 'o' })],
        ['executeOperation', () => billing.executeOperation('charge', 1, { id: 'o' })],
        ['result', () => handle.result()],
        ['describe', () => handle.describe()],
        ['cancel', () => handle.cancel()],
        ['terminate', () => handle.terminate()],
        ['list', () => collect(client.list())],
        ['count', () => client.count()],
      ];
      for (const [name, call] of calls) {
        const error = await failureOf(call());
        expect([name, error.code, error.setting]).toEqual([
          name,
          'SERVER_FEATURE_UNAVAILABLE',
          'nexusoperation.enableStandalone',
        ]);
        expect(error).toBeInstanceOf(ServerFeatureUnavailableError);
        expect(error.cause.code).toBe(status.UNIMPLEMENTED);
      }
    } finally {
      await connection.close();
      await server.stop();
    }
  });
});

describe('the enums', () => {
  it.each<[string, any, (value: any) => unknown, (value: any) => unknown]>([
    [
      'NEXUS_OPERATION_ID_REUSE_POLICY_',
      NexusOperationIdReusePolicy,
      encodeNexusOperationIdReusePolicy,
      decodeNexusOperationIdReusePolicy,
    ],
    [
      'NEXUS_OPERATION_ID_CONFLICT_POLICY_',
      NexusOperationIdConflictPolicy,
      encodeNexusOperationIdConflictPolicy,
      decodeNexusOperationIdConflictPolicy,
    ],
    [
      'NEXUS_OPERATION_EXECUTION_STATUS_',
      NexusOperationExecutionStatus,
      encodeNexusOperationExecutionStatus,
      decodeNexusOperationExecutionStatus,
    ],
    [
      'PENDING_NEXUS_OPERATION_STATE_',
      PendingNexusOperationState,
      encodePendingNexusOperationState,
      decodePendingNexusOperationState,
    ],
    [
      'NEXUS_OPERATION_CANCELLATION_STATE_',
      NexusOperationCancellationState,
      encodeNexusOperationCancellationState,
      decodeNexusOperationCancellationState,
    ],
  ])('%s are those of the protocol', (prefix, proto, encode, decode) => {
    const names = Object.keys(proto).filter((name) => name.startsWith(prefix));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names) {
      const short = name.slice(prefix.length);
      expect([encode(short), encode(name), encode(proto[name])]).toEqual(Array(3).fill(proto[name]));
      expect(decode(proto[name])).toBe(short === 'UNSPECIFIED' ? undefined : short);
    }
    expect(() => encode('SOMETHING')).toThrow(ValueError);
  });
});
