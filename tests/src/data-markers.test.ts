/**
 * Marks in every input that there is, and none of them in anything that a server stores or that either side logs.
 *
 * The same run without a codec is the control: what the server stores then holds the marks, so they were sent, and the
 * search finds them.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Context } from '@perdure/activity';
import { ActivityCancelledError, Client, Connection, WithStartWorkflowOperation } from '@perdure/client';
import {
  ApplicationFailure,
  CancelledFailure,
  CompleteAsyncError,
  type DataConverter,
  defaultPayloadConverter,
} from '@perdure/common';
import { startDevServer } from '@perdure/dev-server';
import { AesGcmCodec, generateKey, keyRing } from '@perdure/encryption';
import { startWorkflow, WorkflowRunOperationHandler } from '@perdure/nexus';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { NativeConnection, Runtime, Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { findForms, marksIn } from './support/byte-scan';
import { LineKeeper, until, workflowsDir } from './support/harness';
import {
  ask,
  askBadly,
  backing,
  change,
  changeBadly,
  done,
  everything,
  fails,
  isCancelled,
  MARK,
  type MarkedActivities,
  mark,
  poke,
  service,
  stumbles,
  waits,
} from './workflows/markers';

const log = new LineKeeper();
const header = (name: string) => ({ [name]: defaultPayloadConverter.toPayload(mark(`header-${name}`)) });

/** What a run has left behind. */
interface Remains {
  /** Every file of the server's database, after its end. */
  readonly database: Buffer;
  readonly serverLog: Buffer;
  readonly workerLog: Buffer;
  /** All histories as the server gives them. */
  readonly histories: Buffer;
  /** What callers have read, to see that decoding works. */
  readonly answers: readonly unknown[];
}

async function runEverything(dataConverter: DataConverter): Promise<Remains> {
  const folder = mkdtempSync(join(tmpdir(), 'perdure-markers-'));
  const server = await startDevServer({
    useExisting: false,
    startTimeoutMs: 100_000,
    dbFilename: join(folder, 'server.sqlite'),
    logLevel: 'debug',
    dynamicConfigValues: {
      'frontend.enableUpdateWorkflowExecution': true,
      'frontend.enableExecuteMultiOperation': true,
      'activity.enableStandalone': true,
      'nexusoperation.enableStandalone': true,
    },
  });
  const firstLine = log.lines.length;
  const connection = await NativeConnection.connect({ address: server.address });
  const client = new Client({
    connection: await Connection.connect({ address: server.address }),
    dataConverter,
    interceptors: {
      workflow: [
        {
          start: (input, next) => next({ ...input, headers: { ...input.headers, ...header('start') } }),
          signal: (input, next) => next({ ...input, headers: { ...input.headers, ...header('signal') } }),
          query: (input, next) => next({ ...input, headers: { ...input.headers, ...header('query') } }),
          startUpdate: (input, next) =>
            next({ ...input, headers: { ...input.headers, ...header('update') } }),
          signalWithStart: (input, next) =>
            next({ ...input, headers: { ...input.headers, ...header('signal-with-start') } }),
          startUpdateWithStart: (input, next) =>
            next({
              ...input,
              workflowStartHeaders: { ...input.workflowStartHeaders, ...header('start-with-update') },
              updateHeaders: { ...input.updateHeaders, ...header('update-with-start') },
            }),
        },
      ],
      activity: [
        {
          start: (input, next) => next({ ...input, headers: { ...input.headers, ...header('standalone') } }),
        },
      ],
      schedule: [
        { create: (input, next) => next({ ...input, headers: { ...input.headers, ...header('schedule') } }) },
      ],
    },
  });
  const { workflowService, operatorService } = client.connection;
  const taskQueue = `queue-${randomUUID()}`;
  const endpoint = `endpoint-${randomUUID()}`;
  await operatorService.createNexusEndpoint({
    spec: { name: endpoint, target: { worker: { namespace: 'default', taskQueue } } },
  });
  const elsewhere: { token: Uint8Array; type: string }[] = [];
  const tokenOf = async (type: string) => {
    const found = () => elsewhere.find((each) => each.type === type)?.token;
    await until(found, `an activity waits to be ${type}`);
    return found()!;
  };
  const activities: MarkedActivities = {
    echo: async (value) => `${mark('activity-result')} ${value}`,
    fails: async () => {
      throw ApplicationFailure.create({
        message: mark('activity-failure-message'),
        nonRetryable: true,
        details: [mark('activity-failure-details')],
        cause: new Error(mark('activity-cause-message')),
      });
    },
    beats: async () => {
      const { info } = Context.current();
      if (info.attempt === 1) {
        Context.current().heartbeat(mark('heartbeat-details'));
        throw new Error(mark('activity-retry-message'));
      }
      return String(info.heartbeatDetails);
    },
    beatsAndTimesOut: async () => {
      Context.current().heartbeat(mark('timed-out-heartbeat-details'));
      await Context.current().cancelled.catch(() => undefined);
    },
    completedElsewhere: async () => {
      elsewhere.push({ token: Context.current().info.taskToken, type: 'completed' });
      throw new CompleteAsyncError();
    },
    cancelledElsewhere: async () => {
      elsewhere.push({ token: Context.current().info.taskToken, type: 'cancelled' });
      throw new CompleteAsyncError();
    },
    failedElsewhere: async () => {
      elsewhere.push({ token: Context.current().info.taskToken, type: 'failed' });
      throw new CompleteAsyncError();
    },
    cancelledWithDetails: async () => {
      throw new CancelledFailure(mark('activity-cancelled-message'), [mark('activity-cancelled-details')]);
    },
  };
  const worker = await Worker.create({
    connection,
    taskQueue,
    dataConverter,
    workflowsPath: join(workflowsDir, 'markers.ts'),
    interceptors: { workflowModules: [join(workflowsDir, 'markers.ts')] },
    activities,
    nexusServices: [
      nexus.serviceHandler(service, {
        sync: async (_ctx, input) => `${mark('nexus-result')} ${input}`,
        backed: new WorkflowRunOperationHandler<string, string>((ctx, input) =>
          startWorkflow(ctx, backing, {
            workflowId: `backing-${ctx.requestId}`,
            args: [`${mark('nexus-backing-argument')} ${input}`],
            memo: { note: mark('nexus-backing-memo') },
          }),
        ),
        fails: async () => {
          throw new nexus.OperationError('failed', mark('nexus-failure-message'));
        },
      }),
    ],
  });
  const answers: unknown[] = [];
  const histories: Buffer[] = [];
  const started = {
    taskQueue,
    memo: { note: mark('memo') },
    staticSummary: mark('static-summary'),
    staticDetails: mark('static-details'),
  };
  await worker.runUntil(async () => {
    // The main workflow, and everything that a client can do to it.
    const handle = await client.workflow.start(everything, {
      ...started,
      workflowId: 'everything',
      args: [mark('start-argument'), endpoint],
    });
    await handle.signal(poke, mark('signal-argument'));
    answers.push(await handle.query(ask, mark('query-argument')));
    answers.push(await handle.query(askBadly).catch((error) => error.message));
    answers.push(await handle.executeUpdate(change, { args: [mark('update-argument')] }));
    answers.push(
      await handle
        .executeUpdate(changeBadly, { args: [mark('update-bad-argument')] })
        .catch((e) => e.cause.message),
    );
    await handle.executeUpdate(changeBadly, { args: [mark('update-rejected')] }).catch(() => undefined);
    const toComplete = await tokenOf('completed');
    await client.activity.heartbeat(toComplete, mark('async-heartbeat'));
    await client.activity.complete(toComplete, mark('async-result'));
    const toFail = await tokenOf('failed');
    await client.activity.fail(
      toFail,
      ApplicationFailure.nonRetryable(mark('async-failure-message'), 'T', mark('async-failure-details')),
    );
    const toCancel = await tokenOf('cancelled');
    await handle.signal(poke, mark('second-signal-argument'));
    await until(async () => {
      const asked = await client.activity.heartbeat(toCancel, mark('async-last-heartbeat')).catch((e) => e);
      return asked instanceof ActivityCancelledError;
    }, 'the activity is asked to cancel');
    await client.activity.reportCancellation(toCancel, mark('async-cancellation-details'));
    await handle.signal(done, mark('done-argument'));
    answers.push(await handle.result());
    // Other ways to start and to end.
    const withStart = await client.workflow.signalWithStart(waits, {
      ...started,
      workflowId: 'signal-with-start',
      args: [mark('signal-with-start-argument')],
      signal: done,
      signalArgs: [mark('signal-with-start-signal')],
    });
    answers.push(await withStart.result());
    const startOperation = new WithStartWorkflowOperation(everything, {
      ...started,
      workflowId: 'update-with-start',
      args: [mark('update-with-start-argument'), endpoint],
      workflowIdConflictPolicy: 'FAIL',
    });
    answers.push(
      await client.workflow.executeUpdateWithStart(change, {
        args: [mark('update-with-start-update')],
        startWorkflowOperation: startOperation,
      }),
    );
    await client.workflow.getHandle('update-with-start').terminate();
    const failing = await client.workflow.start(fails, {
      ...started,
      workflowId: 'fails',
      args: [mark('failing-argument')],
    });
    answers.push(await failing.result().catch((error) => `${error.cause.message} ${error.cause.details}`));
    const cancelled = await client.workflow.start(isCancelled, {
      ...started,
      workflowId: 'is-cancelled',
      args: [mark('cancelled-argument')],
    });
    await cancelled.cancel();
    await cancelled.result().catch(() => undefined);
    const stumbling = await client.workflow.start(stumbles, {
      ...started,
      workflowId: 'stumbles',
      args: [mark('stumbling-argument')],
    });
    await until(async () => {
      const { events } = await stumbling.fetchHistory();
      return events!.some(({ workflowTaskFailedEventAttributes }) => workflowTaskFailedEventAttributes);
    }, 'the workflow task has failed');
    await stumbling.terminate();
    // Without a workflow.
    const alone = { taskQueue, startToCloseTimeout: '5m', summary: mark('standalone-summary') } as const;
    answers.push(
      await client.activity.execute('echo', { ...alone, id: 'echo', args: [mark('standalone-argument')] }),
      await client.activity
        .execute('fails', { ...alone, id: 'fails', args: [mark('standalone-failing-argument')] })
        .catch((error) => error.cause.message),
    );
    const operations = client.nexus.createServiceClient({ endpoint, service });
    answers.push(
      await operations.executeOperation('sync', mark('standalone-nexus-input'), {
        id: 'operation',
        summary: mark('standalone-nexus-summary'),
      }),
    );
    // A schedule.
    const schedule = await client.schedule.create({
      scheduleId: 'marked',
      spec: {},
      memo: { note: mark('schedule-memo') },
      action: {
        type: 'startWorkflow',
        workflowType: waits,
        workflowId: 'scheduled',
        taskQueue,
        args: [mark('schedule-argument')],
        memo: { note: mark('schedule-action-memo') },
        staticSummary: mark('schedule-summary'),
        staticDetails: mark('schedule-details'),
      },
    });
    const described = await schedule.describe();
    answers.push(
      described.memo?.note,
      (described.action as any).args[0],
      (described.action as any).memo.note,
    );
    await schedule.update(({ ...previous }) => ({
      ...previous,
      action: { ...previous.action, args: [mark('schedule-updated-argument')] } as any,
    }));
    await schedule.trigger();
    await until(async () => {
      const listed = await workflowService.listWorkflowExecutions({
        namespace: 'default',
        query: 'WorkflowType = "waits" AND TemporalScheduledById = "marked"',
      });
      return (listed.executions?.length ?? 0) > 0;
    }, 'the schedule has started a workflow');

    const list = async () => {
      const { executions = [] } = await workflowService.listWorkflowExecutions({ namespace: 'default' });
      return executions;
    };
    await until(async () => (await list()).length >= 11, 'all workflows are listed');
    const executions = await list();
    for (const { execution } of executions) {
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace: 'default',
        execution,
      });
      histories.push(Buffer.from(History.encode(history!).finish()));
    }
  });
  await connection.close();
  await client.connection.close();
  const serverLog = readFileSync(server.logFile!);
  await server.stop();
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)));
  rmSync(folder, { recursive: true });
  return {
    database: Buffer.concat(files),
    serverLog,
    workerLog: Buffer.from(JSON.stringify(log.lines.slice(firstLine), (_key, value) => showAll(value))),
    histories: Buffer.concat(histories),
    answers,
  };
}

/** What JSON leaves out of errors and bytes. */
function showAll(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (value instanceof Error) {
    const { message, stack, cause } = value;
    return { ...value, message, stack, cause };
  }
  return value;
}

/** Marks that no server stores: answers to queries, and what only passes through. */
const TRANSIENT = [
  'query-argument',
  'query-result',
  'query-failure-message',
  'header-query',
  'current-details',
  // Rejected updates leave no trace.
  'update-rejected',
  'update-rejection-message',
  'async-heartbeat',
  'activity-retry-message',
  'local-failing-argument',
  'local-argument',
  'header-local-activity',
  // Workflows end as cancelled without saying more.
  'cancelled-message',
  'cancelled-details',
];

let marked: Remains;
let control: Remains;

beforeAll(async () => {
  Runtime.install({
    logger: log,
    telemetryOptions: { logging: { forward: {}, filter: { core: 'TRACE', other: 'DEBUG' } } },
  });
  const failureConverterPath = require.resolve('./support/encoded-failures');
  control = await runEverything({ failureConverterPath });
  const codec = new AesGcmCodec(keyRing({ keys: { k1: generateKey() }, currentKeyId: 'k1' }));
  marked = await runEverything({ failureConverterPath, payloadCodecs: [codec] });
}, 300_000);

describe('with an encryption codec', () => {
  it('everything that was sent can be read by its owner', () => {
    expect(marked.answers).toEqual(control.answers);
    expect(marked.answers).toEqual([
      mark('query-result'),
      // Servers hand on nothing but the message of a query's failure, and that is hidden.
      expect.stringContaining('Encoded failure'),
      mark('update-result'),
      mark('update-failure-message'),
      mark('workflow-result'),
      mark('child-result'),
      mark('update-result'),
      `${mark('workflow-failure-message')} ${mark('workflow-failure-details')},${mark('failing-argument')}`,
      `${mark('activity-result')} ${mark('standalone-argument')}`,
      mark('activity-failure-message'),
      `${mark('nexus-result')} ${mark('standalone-nexus-input')}`,
      mark('schedule-memo'),
      mark('schedule-argument'),
      mark('schedule-action-memo'),
    ]);
  });

  it('no mark is in the files of the server, in any form', () => {
    expect(marked.database.length).toBeGreaterThan(100_000);
    expect(findForms(marked.database, MARK)).toEqual([]);
  });

  it('no mark is in the histories that the server gives', () => {
    expect(findForms(marked.histories, MARK)).toEqual([]);
  });

  it('no mark is in the log of the server', () => {
    expect(marked.serverLog.length).toBeGreaterThan(1000);
    expect(findForms(marked.serverLog, MARK)).toEqual([]);
  });

  it('no mark is in the log of the worker at TRACE, other than in errors that user code has thrown', () => {
    expect(log.lines.some(({ meta }) => meta.sdkComponent === 'core')).toBe(true);
    const shown = [...marksIn(marked.workerLog, MARK)].filter((name) => !/-(message|details)$/.test(name));
    expect(shown).toEqual([]);
  });
});

describe('without a codec', () => {
  it('every mark that is sent to be stored is found in the files, so that none is forgotten above', () => {
    const sources = ['data-markers.test.ts', 'workflows/markers.ts'].map((name) =>
      readFileSync(join(workflowsDir, '..', name), 'utf8'),
    );
    const named = (pattern: RegExp) =>
      sources.flatMap((source) => [...source.matchAll(pattern)].map(([, name]) => name!));
    const all = new Set([
      ...named(/mark\('([a-z-]+)'\)/g),
      ...named(/header\('([a-z-]+)'\)/g).map((name) => `header-${name}`),
    ]);
    const stored = marksIn(control.database, MARK);
    expect([...all].filter((name) => !stored.has(name) && !TRANSIENT.includes(name))).toEqual([]);
    expect(all.size).toBeGreaterThan(80);
  });

  it('the search finds marks in every form', () => {
    for (const form of ['utf8', 'utf16le', 'base64', 'hex', 'base64url'] as const) {
      for (const before of ['', 'a', 'ab']) {
        const bytes = Buffer.from(Buffer.from(`${before}${MARK}-x`).toString(form));
        const given = form === 'utf8' || form === 'utf16le' ? Buffer.from(`${before}${MARK}-x`, form) : bytes;
        expect([form, before, findForms(given, MARK).length > 0]).toEqual([form, before, true]);
      }
    }
  });
});
