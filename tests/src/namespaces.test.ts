/**
 * Workflows that reach into another namespace, on servers that allow it and that do not; and the server's advice to
 * continue as new, which needs a lower limit than the shared server has.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@perdure/client';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import {
  externalWorkflowActivities,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
} from '@perdure/worker';
import { eventsOfType, LineKeeper, rejection, until, workflowsDir } from './support/harness';

const taskQueue = 'namespaces';

class Setting {
  running: Promise<void>[] = [];
  workers: Worker[] = [];

  constructor(
    readonly server: DevServer,
    readonly native: NativeConnection,
    readonly connection: Connection,
    readonly here: Client,
    readonly there: Client,
  ) {}

  static async start(crossNamespaceCommands: boolean): Promise<Setting> {
    const server = await startDevServer({
      useExisting: false,
      namespace: 'there',
      dynamicConfigValues: {
        'system.enableCrossNamespaceCommands': crossNamespaceCommands,
        'limit.historyCount.suggestContinueAsNew': 60,
      },
    });
    const { address } = server;
    Runtime.install({ logger: new LineKeeper() });
    const native = await NativeConnection.connect({ address });
    const connection = await Connection.connect({ address });
    const setting = new Setting(
      server,
      native,
      connection,
      new Client({ connection }),
      new Client({ connection, namespace: 'there' }),
    );
    await Promise.all(['default', 'there'].map((namespace) => setting.work({ namespace })));
    return setting;
  }

  async work(options: Partial<WorkerOptions>): Promise<void> {
    const worker = await Worker.create({
      connection: this.native,
      taskQueue,
      workflowsPath: join(workflowsDir, 'namespaces.ts'),
      activities: { ...externalWorkflowActivities },
      ...options,
    });
    this.workers.push(worker);
    this.running.push(worker.run());
  }

  async stop(): Promise<void> {
    try {
      for (const worker of this.workers) worker.shutdown();
      await Promise.all(this.running);
      await this.connection.close();
      await this.native.close();
    } finally {
      await this.server.stop();
    }
  }

  start(client: Client, type: string, ...args: unknown[]): Promise<WorkflowHandle> {
    return client.workflow.start(type, { taskQueue, workflowId: `${type}-${randomUUID()}`, args });
  }
}

describe.each([true, false])('on a server with system.enableCrossNamespaceCommands: %s', (allowed) => {
  let on: Setting;
  beforeAll(async () => {
    on = await Setting.start(allowed);
  });
  afterAll(() => on?.stop());

  it(`${allowed ? 'takes' : 'refuses'} the command of a handle that names the namespace`, async () => {
    const waits = await on.start(on.there, 'waitsForNews');
    const tells = await on.start(on.here, 'tellsByCommand', 'there', waits.workflowId);
    if (!allowed) {
      await until(
        async () => (await eventsOfType(tells, 'WorkflowTaskFailed')).length > 0,
        'the server has refused the task',
      );
      const [{ workflowTaskFailedEventAttributes: refused } = {}] = await eventsOfType(
        tells,
        'WorkflowTaskFailed',
      );
      expect(refused?.failure?.message).toMatch(/cross namespace commands are not allowed/);
      await tells.terminate();
      await waits.terminate();
      return;
    }
    await tells.result();
    expect(await waits.result()).toEqual(['by command', 'last']);
    const initiated = await eventsOfType(tells, 'SignalExternalWorkflowExecutionInitiated');
    expect(
      initiated.map((event) => event.signalExternalWorkflowExecutionInitiatedEventAttributes),
    ).toMatchObject(
      Array(2).fill({
        namespace: 'there',
        workflowExecution: { workflowId: waits.workflowId },
        signalName: 'news',
      }),
    );
    expect(await eventsOfType(tells, 'ExternalWorkflowExecutionSignaled')).toHaveLength(2);

    const victim = await on.start(on.there, 'waitsForNews');
    await (await on.start(on.here, 'cancelsByCommand', 'there', victim.workflowId)).result();
    expect((await rejection(victim.result())).cause.name).toBe('CancelledFailure');
    const nobody = await on.start(on.here, 'cancelsByCommand', 'there', 'nobody');
    expect((await rejection(nobody.result())).cause.message).toMatch(/not found|external/i);
  });

  it('refuses a handle of another namespace unless the code says that the server allows it', async () => {
    const asks = await on.start(on.here, 'asksNobody', 'there', 'somebody');
    expect(await asks.result()).toMatch(/^WORKFLOW_CROSS_NAMESPACE: call the activities of external/);
  });

  it('does the same by activities, whatever the server allows', async () => {
    const waits = await on.start(on.there, 'waitsForNews');
    const tells = await on.start(on.here, 'tellsByActivity', 'there', waits.workflowId);
    await tells.result();
    expect(await waits.result()).toEqual(['by activity', 'last']);
    const signals = await eventsOfType(waits, 'WorkflowExecutionSignaled');
    expect(
      signals.map(({ workflowExecutionSignaledEventAttributes: at }) => [at?.signalName, at?.requestId]),
    ).toEqual([
      ['news', expect.stringMatching(/\/1$/)],
      ['news', expect.stringMatching(/\/2$/)],
    ]);
    const victim = await on.start(on.there, 'waitsForNews');
    await (await on.start(on.here, 'cancelsByActivity', 'there', victim.workflowId)).result();
    expect((await rejection(victim.result())).cause.name).toBe('CancelledFailure');
  });

  it('activities fail for good where nobody is there, and say so by type', async () => {
    for (const [namespace, type] of [
      ['there', 'WorkflowNotFoundError'],
      ['nowhere', 'NamespaceNotFoundError'],
    ]) {
      const tells = await on.start(on.here, 'tellsByActivity', namespace, 'nobody');
      const error = await rejection(tells.result());
      expect(error.cause).toMatchObject({ name: 'ActivityFailure', retryState: 'NON_RETRYABLE_FAILURE' });
      expect(error.cause.cause).toMatchObject({ type, nonRetryable: true });
    }
  });
});

describe('a signal that an activity sends', () => {
  let on: Setting;
  beforeAll(async () => {
    on = await Setting.start(false);
  });
  afterAll(() => on?.stop());

  it('arrives once, though the activity fails after it and is tried again', async () => {
    let attempts = 0;
    await on.work({
      taskQueue: 'flaky',
      activities: {
        async signalExternalWorkflow(...args: [any, string, ...unknown[]]) {
          await externalWorkflowActivities.signalExternalWorkflow(...args);
          if (attempts++ % 2 === 0) throw new Error('the answer was lost');
        },
      },
    });
    const waits = await on.start(on.there, 'waitsForNews');
    const tells = await on.here.workflow.start('tellsByActivity', {
      taskQueue: 'flaky',
      workflowId: `flaky-${randomUUID()}`,
      args: ['there', waits.workflowId],
    });
    await tells.result();
    expect(await waits.result()).toEqual(['by activity', 'last']);
    expect(attempts).toBeGreaterThan(2);
    expect(await eventsOfType(waits, 'WorkflowExecutionSignaled')).toHaveLength(2);
  });

  it('server suggests to continue as new once the history has grown, and says why', async () => {
    const grows = await on.start(on.here, 'growsUntilTold');
    const { rounds, historyLength, suggestedContinueAsNewReasons } = await grows.result();
    // Timers of a round may fire in one task or in twenty, each of which has events of its own.
    expect([1, 2]).toContain(rounds);
    expect(historyLength).toBeGreaterThanOrEqual(60);
    expect(suggestedContinueAsNewReasons).toEqual(['TOO_MANY_HISTORY_EVENTS']);
    const { events = [] } = await grows.fetchHistory();
    const started = (events ?? []).filter(
      ({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
    );
    const suggested = started.map(
      ({ workflowTaskStartedEventAttributes: at }) => at?.suggestContinueAsNew === true,
    );
    const first = suggested.indexOf(true);
    expect(first).toBeGreaterThan(0);
    expect(suggested).toEqual(suggested.map((_, i) => i >= first));
  });
});
