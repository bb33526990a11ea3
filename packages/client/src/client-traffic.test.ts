/** What a client's calls send to a scripted server, and what becomes of answers that a real server gives rarely. */
import { Metadata, status } from '@grpc/grpc-js';
import {
  Client,
  Connection,
  defaultGrpcRetryOptions,
  makeGrpcRetryInterceptor,
  WithStartWorkflowOperation,
  WorkflowClient,
} from '@perdure/client';
import { Status } from '@perdure/proto/google/rpc/status';
import { PermissionDeniedFailure } from '@perdure/proto/temporal/api/errordetails/v1/message';
import { WorkflowServiceDefinition } from '@perdure/proto/temporal/api/workflowservice/v1/service';
import { ScriptedServer } from './testing/scripted-server';

let server: ScriptedServer;
let connection: Connection;
let client: Client;

beforeEach(async () => {
  server = new ScriptedServer();
  const retry = makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ initialIntervalMs: () => 1 }));
  connection = Connection.lazy({ address: await server.listen(), interceptors: [retry] });
  client = new Client({ connection });
});
afterEach(async () => {
  await connection.close();
  server.close();
});

const options = { workflowId: 'w', taskQueue: 'q' };
const schedule = {
  scheduleId: 's',
  spec: {},
  action: { type: 'startWorkflow', workflowType: 'x', taskQueue: 'q' },
} as const;
const UPDATED = { stage: 3, outcome: { success: { payloads: [] } } };

describe('a call that changes something', () => {
  // What it sends, what is answered in the end, and where the request says that it is the same one.
  const calls: [string, object, (request: any) => unknown, () => Promise<unknown>][] = [
    [
      'startWorkflowExecution',
      {},
      ({ requestId }) => requestId,
      () => client.workflow.start('x', { ...options }),
    ],
    [
      'signalWithStartWorkflowExecution',
      {},
      ({ requestId }) => requestId,
      () => client.workflow.signalWithStart('x', { ...options, signal: 's' }),
    ],
    [
      'signalWorkflowExecution',
      {},
      ({ requestId }) => requestId,
      () => client.workflow.getHandle('w').signal('s'),
    ],
    [
      'requestCancelWorkflowExecution',
      {},
      ({ requestId }) => requestId,
      () => client.workflow.getHandle('w').cancel(),
    ],
    [
      'updateWorkflowExecution',
      UPDATED,
      ({ request }) => request.meta.updateId,
      () => client.workflow.getHandle('w').executeUpdate('u'),
    ],
    [
      'executeMultiOperation',
      { responses: [{ startWorkflow: { runId: 'r' } }, { updateWorkflow: UPDATED }] },
      ({ operations }) => [
        operations[0].startWorkflow.requestId,
        operations[1].updateWorkflow.request.meta.updateId,
      ],
      () => {
        const startWorkflowOperation = new WithStartWorkflowOperation('x', {
          ...options,
          workflowIdConflictPolicy: 'FAIL',
        });
        return client.workflow.executeUpdateWithStart('u', { startWorkflowOperation });
      },
    ],
    ['createSchedule', {}, ({ requestId }) => requestId, () => client.schedule.create(schedule)],
    ['patchSchedule', {}, ({ requestId }) => requestId, () => client.schedule.getHandle('s').trigger()],
    [
      'updateSchedule',
      {},
      ({ requestId }) => requestId,
      () => client.schedule.getHandle('s').update(() => ({ ...schedule, state: {} })),
    ],
  ];

  it.each(calls)('%s is repeated with the same request, byte by byte', async (method, message, id, call) => {
    const broken = { code: status.UNAVAILABLE };
    server.script = { [method]: [broken, broken, { message }] };
    await call();
    const attempts = server.asked.filter((asked) => asked.method === method).map(({ request }) => request);
    expect(attempts).toHaveLength(3);
    const { requestType } = (WorkflowServiceDefinition.methods as Record<string, any>)[method];
    const sent = attempts.map((request) => Buffer.from(requestType.encode(request).finish()).toString('hex'));
    expect(new Set(sent).size).toBe(1);
    for (const part of [id(attempts[0])].flat()) expect(part).toMatch(/^[0-9a-f-]{36}$/);
    server.asked.length = 0;
    server.script = { [method]: [{ message }] };
    await call(); // another call is another request
    const next = server.asked.find((asked) => asked.method === method)!.request;
    expect(id(next)).not.toEqual(id(attempts[0]));
  });
});

describe('an update', () => {
  it('is asked for again with its id where the server gave up before it was durable', async () => {
    server.script = {
      updateWorkflowExecution: [{ message: { stage: 1 } }, { message: { stage: 2 } }],
      pollWorkflowExecutionUpdate: [{ message: {} }, { message: UPDATED }],
    };
    await client.workflow.getHandle('w').executeUpdate('u', { updateId: 'mine' });
    expect(
      server.asked.map(({ method, request }) => [
        method,
        (request.request?.meta ?? request.updateRef).updateId,
      ]),
    ).toEqual([
      ['updateWorkflowExecution', 'mine'],
      ['updateWorkflowExecution', 'mine'],
      ['pollWorkflowExecutionUpdate', 'mine'],
      ['pollWorkflowExecutionUpdate', 'mine'],
    ]);
  });
});

describe('what comes in pages', () => {
  const page = (content: object, token: string) => ({
    message: { ...content, nextPageToken: Buffer.from(token) },
  });
  const tokens = () =>
    server.asked.splice(0).map(({ request }) => Buffer.from(request.nextPageToken ?? []).toString());

  it('is asked for with the token of the page before', async () => {
    const event = (eventId: number) => ({ eventId: String(eventId) as never });
    const schedules = (scheduleId: string) => ({ schedules: [{ scheduleId }] });
    server.script = {
      getWorkflowExecutionHistory: [
        page({ history: { events: [event(1), event(2)] } }, 'h1'),
        page({ history: { events: [event(3)] } }, 'h2'),
        page({ history: { events: [] } }, ''),
      ],
      listSchedules: [page(schedules('a'), 's1'), page(schedules('b'), '')],
    };
    const { events } = await client.workflow.getHandle('w').fetchHistory();
    expect(events!.map(({ eventId }) => Number(eventId))).toEqual([1, 2, 3]);
    expect(tokens()).toEqual(['', 'h1', 'h2']);

    const listed: string[] = [];
    for await (const { scheduleId } of client.schedule.list({ query: 'q', pageSize: 7 })) {
      listed.push(scheduleId);
      // No page is asked for before the one at hand is used up.
      expect(server.asked).toHaveLength(listed.length);
    }
    expect(listed).toEqual(['a', 'b']);
    expect(server.asked.map(({ request }) => [request.query, request.maximumPageSize])).toEqual([
      ['q', 7],
      ['q', 7],
    ]);
    expect(tokens()).toEqual(['', 's1']);
  });

  it('is a result that is waited for over as many empty answers as it takes', async () => {
    const completed = { workflowExecutionCompletedEventAttributes: {} };
    server.script = {
      getWorkflowExecutionHistory: [
        page({}, 'p1'),
        page({ history: { events: [] } }, 'p2'),
        page({ history: { events: [completed] } }, ''),
      ],
    };
    expect(await client.workflow.getHandle('w').result()).toBeUndefined();
    expect(server.asked.every(({ request }) => request.waitNewEvent === true)).toBe(true);
    expect(tokens()).toEqual(['', 'p1', 'p2']);
  });
});

describe('a refused call', () => {
  it('tells the reason that the server attached', async () => {
    const metadata = new Metadata();
    const value = PermissionDeniedFailure.encode({ reason: 'no role in this namespace' }).finish();
    const typeUrl = 'type.googleapis.com/temporal.api.errordetails.v1.PermissionDeniedFailure';
    const details = Status.encode({ code: 7, message: 'no', details: [{ typeUrl, value }] }).finish();
    metadata.set('grpc-status-details-bin', Buffer.from(details));
    server.script = {
      describeWorkflowExecution: [{ code: status.PERMISSION_DENIED, details: 'no', metadata }],
    };
    await expect(client.workflow.getHandle('w').describe()).rejects.toMatchObject({
      code: 'CLIENT_PERMISSION_DENIED',
      message: 'Failed to describe workflow: no (no role in this namespace)',
      cause: { code: status.PERMISSION_DENIED },
    });
  });
});

describe('interceptors in their older form', () => {
  it('are made for each execution, and stand around its calls', async () => {
    const made: object[] = [];
    const seen: string[] = [];
    const older = new WorkflowClient({
      connection,
      interceptors: {
        calls: [
          (input) => {
            made.push(input);
            return {
              start: async (start, next) => {
                seen.push(`start ${start.workflowType}`);
                return await next({ ...start, options: { ...start.options, taskQueue: 'changed' } });
              },
              signal: async (signal, next) => {
                seen.push(`signal ${signal.signalName}`);
                await next(signal);
              },
            };
          },
        ],
      },
    });
    await older.start('x', options);
    await older.getHandle('w', 'r').signal('s');
    expect(seen).toEqual(['start x', 'signal s']);
    expect(made).toEqual(
      expect.arrayContaining([
        { workflowId: 'w', runId: undefined },
        { workflowId: 'w', runId: 'r' },
      ]),
    );
    expect(server.asked[0]!.request.taskQueue.name).toBe('changed');
  });
});

describe('a description', () => {
  it('tells parent, root, times and sizes as the server does', async () => {
    const seconds = (value: number) => ({ seconds: String(value) as never, nanos: 500_000_000 });
    const at = (value: number) => new Date(value * 1000 + 500);
    server.script = {
      describeWorkflowExecution: [
        {
          message: {
            workflowExecutionInfo: {
              execution: { workflowId: 'w', runId: 'r' },
              type: { name: 'child' },
              status: 2,
              taskQueue: 'q',
              historyLength: '12',
              historySizeBytes: '3456',
              startTime: seconds(100),
              executionTime: seconds(200),
              closeTime: seconds(300),
              parentExecution: { workflowId: 'p', runId: 'pr' },
              rootExecution: { workflowId: 'o', runId: 'or' },
            },
          },
        },
      ],
    };
    expect(await client.workflow.getHandle('w').describe()).toMatchObject({
      workflowId: 'w',
      runId: 'r',
      type: 'child',
      status: { code: 2, name: 'COMPLETED' },
      taskQueue: 'q',
      historyLength: 12,
      historySize: 3456,
      startTime: at(100),
      executionTime: at(200),
      closeTime: at(300),
      parentExecution: { workflowId: 'p', runId: 'pr' },
      rootExecution: { workflowId: 'o', runId: 'or' },
    });
  });
});
