/** What a worker tells of itself: lines of the native side, metrics by every exporter, heartbeats to the server. */
import { randomUUID } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Context } from '@perdure/activity';
import { Client } from '@perdure/client';
import type { LogLevel } from '@perdure/common';
import { type ClaimedPort, claimPort } from '@perdure/dev-server/lib/ports';
import {
  MetricsBuffer,
  NativeConnection,
  Runtime,
  type RuntimeOptions,
  type TelemetryOptions,
  Worker,
  type WorkerOptions,
} from '@perdure/worker';
import { eventually, LineKeeper, serverAddress, until, workflowsDir } from './support/harness';

const activities = {
  async nothing() {},
  async measured() {
    Context.current().metricMeter.createCounter('activity_steps').add(5, { kind: 'first' });
  },
};

/** Ports that nobody else takes before the exporter listens there. */
const claimed: ClaimedPort[] = [];
async function freePort(): Promise<number> {
  const port = await claimPort('127.0.0.1');
  claimed.push(port);
  return port.port;
}
afterAll(() => {
  for (const port of claimed) port.release();
});

/** What the exporter serves; nothing until it listens. */
async function scrape(port: number): Promise<string> {
  return fetch(`http://127.0.0.1:${port}/metrics`).then(
    (response) => response.text(),
    () => '',
  );
}

/** Installs a runtime and runs a worker on it while `body` runs. */
async function withWorker(
  options: RuntimeOptions,
  more: Partial<WorkerOptions>,
  body: (worker: Worker, connection: NativeConnection) => Promise<void>,
): Promise<LineKeeper> {
  const log = new LineKeeper();
  Runtime.install({ logger: log, ...options });
  const connection = await NativeConnection.connect({ address: serverAddress() });
  try {
    const worker = await Worker.create({
      connection,
      taskQueue: `queue-${randomUUID()}`,
      activities,
      ...more,
    });
    await worker.runUntil(() => body(worker, connection));
    Runtime.instance().flushLogs();
  } finally {
    await connection.close();
  }
  return log;
}

async function measure(worker: Worker, connection: NativeConnection): Promise<void> {
  const { taskQueue } = worker.options;
  await new Client({ connection }).workflow.execute('measures', { taskQueue, workflowId: randomUUID() });
}

const workflowsPath = join(workflowsDir, 'telemetry.ts');

it('gives native log lines to the logger and serves metrics to be scraped', async () => {
  const port = await freePort();
  const telemetryOptions: TelemetryOptions = {
    logging: { forward: {}, filter: { core: 'DEBUG', other: 'ERROR' } },
    metrics: {
      prometheus: { bindAddress: `127.0.0.1:${port}`, countersTotalSuffix: true },
      metricPrefix: 'mine_',
      globalTags: { team: 'blue' },
    },
  };
  const log = await withWorker({ telemetryOptions }, { taskQueue: 'telemetry' }, async () => {
    let scraped = '';
    await until(async () => {
      scraped = await scrape(port);
      return scraped.includes('mine_worker_start_total');
    }, 'the metric of the worker is there');
    expect(scraped).toMatch(/mine_worker_start_total\{[^}]*team="blue"/);
    expect(scraped).toMatch(/task_queue="telemetry"/);
  });
  const lines = log.lines.filter(({ meta }) => meta.sdkComponent === 'core');
  expect(lines.length).toBeGreaterThan(0);
  for (const { message, meta } of lines) {
    expect(typeof message).toBe('string');
    expect(typeof meta.target).toBe('string');
  }
});

describe('native log lines', () => {
  it.each<[string, NonNullable<TelemetryOptions['logging']>, LogLevel[]]>([
    ['of the core from DEBUG on', { forward: {}, filter: { core: 'DEBUG' } }, ['DEBUG']],
    ['by directives', { forward: {}, filter: 'off,temporalio_sdk_core=debug' }, ['DEBUG']],
    ['of the older level', { forward: { level: 'DEBUG' } }, ['DEBUG']],
    ['from ERROR on', { forward: {}, filter: { core: 'ERROR' } }, []],
    ['on the console', { console: { format: 'json' }, filter: { core: 'ERROR' } }, []],
  ])('%s reach the logger', async (_what, logging, levels) => {
    const log = await withWorker({ telemetryOptions: { logging } }, {}, async () => undefined);
    const seen = new Set(
      log.lines.filter(({ meta }) => meta.sdkComponent === 'core').map(({ level }) => level),
    );
    for (const level of levels) expect(seen).toContain(level);
    if (levels.length === 0) expect([...seen]).toEqual([]);
    expect(seen).not.toContain('TRACE');
  });
});

describe('metrics of workflows and activities', () => {
  it('are scraped as they were recorded, once', async () => {
    const port = await freePort();
    const telemetryOptions = { metrics: { prometheus: { bindAddress: `127.0.0.1:${port}` } } };
    const log = await withWorker({ telemetryOptions }, { workflowsPath }, async (worker, connection) => {
      await measure(worker, connection);
      let scraped = '';
      await until(async () => {
        scraped = await scrape(port);
        return (
          /workflow_steps\{[^}]*\} 3\n/.test(scraped) &&
          scraped.includes('workflow_size_count') &&
          scraped.includes('activity_steps') &&
          scraped.includes('temporal_workflow_completed')
        );
      }, 'all metrics are there');
      const line = (name: string) =>
        scraped.split('\n').find((text) => text.startsWith(`${name}{`) && !text.startsWith('#'));
      expect(line('workflow_steps')).toMatch(/kind="first"/);
      expect(line('workflow_steps')).toMatch(/workflow_?[tT]ype="measures"/);
      expect(line('workflow_steps')).toMatch(new RegExp(`="${worker.options.taskQueue}"`));
      expect(line('workflow_steps')).toMatch(/ 3$/);
      expect(line('workflow_size_count')).toMatch(/ 1$/);
      expect(line('workflow_size_sum')).toMatch(/ 512$/);
      expect(line('activity_steps')).toMatch(/activity_?[tT]ype="measured".* 5$/);
      expect(scraped).toMatch(/temporal_workflow_completed\{/);
    });
    const told = () => log.lines.find(({ message }) => message === 'measured everything');
    await until(told, 'the line of the workflow is logged');
    expect(told()!.meta).toMatchObject({ sdkComponent: 'workflow', workflowType: 'measures', steps: 3 });
  });

  it('are pushed to a collector', async () => {
    const bodies: Buffer[] = [];
    const collector = createHttpServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part) => parts.push(part));
      request.on('end', () => {
        bodies.push(Buffer.concat(parts));
        response.end();
      });
    });
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/metrics`;
    const telemetryOptions = { metrics: { otel: { url, http: true, metricsExportInterval: 100 } } };
    await withWorker({ telemetryOptions }, { workflowsPath }, async (worker, connection) => {
      await measure(worker, connection);
      const arrived = (text: string) => bodies.some((body) => body.includes(text));
      await until(
        () =>
          arrived('workflow_steps') && arrived('activity_steps') && arrived('temporal_workflow_completed'),
        'the collector has all of them',
      );
      expect(arrived(worker.options.taskQueue)).toBe(true);
    });
    collector.closeAllConnections();
    await new Promise((resolve) => collector.close(resolve));
  });

  it('are fetched from a buffer', async () => {
    const buffer = new MetricsBuffer();
    const telemetryOptions = { metrics: { buffer } };
    await withWorker({ telemetryOptions }, { workflowsPath }, async (worker, connection) => {
      expect(Runtime.instance().metricsBuffer).toBe(buffer);
      await measure(worker, connection);
      const sums = new Map<string, number>();
      const names = ['workflow_steps', 'activity_steps', 'temporal_workflow_completed'];
      await until(() => {
        for (const { metric, value } of buffer.retrieveUpdates()) {
          sums.set(metric.name, (sums.get(metric.name) ?? 0) + value);
        }
        return sums.get('workflow_steps')! >= 3 && names.every((name) => sums.has(name));
      }, 'all metrics are there');
      expect(names.map((name) => sums.get(name))).toEqual([3, 5, 1]);
    });
  });
});

describe('heartbeats of workers', () => {
  /** What the server knows of a worker. */
  async function known(connection: NativeConnection, { options }: Worker): Promise<any> {
    const { workersInfo = [] } = (await connection.workflowService.listWorkers({
      namespace: 'default',
      query: `TaskQueue = '${options.taskQueue}'`,
      pageSize: 10,
    })) as any;
    return workersInfo[0]?.workerHeartbeat;
  }

  it('tell the server of the worker, its slots and its pollers', async () => {
    const options: Partial<WorkerOptions> = {
      workflowsPath,
      identity: 'the-one',
      maxConcurrentWorkflowTaskExecutions: 7,
      maxConcurrentActivityTaskExecutions: 5,
      maxConcurrentLocalActivityExecutions: 4,
      maxConcurrentWorkflowTaskPolls: 4,
      nonStickyToStickyPollRatio: 0.5,
      maxConcurrentActivityTaskPolls: 3,
      plugins: [{ name: 'a plugin' }],
    };
    await withWorker({ workerHeartbeatInterval: '1s' }, options, async (worker, connection) => {
      await measure(worker, connection);
      let heartbeat: any;
      // One of the heartbeats, sent each second, tells of a worker that has done its work and polls.
      await eventually(async () => {
        heartbeat = await known(connection, worker);
        expect(heartbeat).toMatchObject({
          workerIdentity: 'the-one',
          taskQueue: worker.options.taskQueue,
          elapsedSinceLastHeartbeat: expect.anything(),
          workflowTaskSlotsInfo: { slotSupplierKind: 'Fixed', currentAvailableSlots: 7 },
          activityTaskSlotsInfo: { currentAvailableSlots: 5, totalProcessedTasks: 1 },
          localActivitySlotsInfo: { currentAvailableSlots: 4 },
          activityPollerInfo: { currentPollers: 3, isAutoscaling: false },
          workflowPollerInfo: { currentPollers: 2 },
          workflowStickyPollerInfo: { currentPollers: 2 },
          plugins: [{ name: 'a plugin' }],
        });
      });
      const { workerInfo } = (await connection.workflowService.describeWorker({
        namespace: 'default',
        workerInstanceKey: heartbeat.workerInstanceKey,
      })) as any;
      expect(workerInfo.workerHeartbeat.workerIdentity).toBe('the-one');
    });
  });

  it('say so when pollers scale by themselves and slots come from a tuner', async () => {
    const custom = {
      type: 'custom',
      reserveSlot: async () => ({}),
      tryReserveSlot: () => null,
      markSlotUsed: () => undefined,
      releaseSlot: () => undefined,
    } as const;
    const options: Partial<WorkerOptions> = {
      workflowsPath,
      workflowTaskPollerBehavior: { type: 'autoscaling', initial: 4 },
      activityTaskPollerBehavior: { type: 'autoscaling', minimum: 2, initial: 2, maximum: 6 },
      tuner: {
        workflowTaskSlotSupplier: custom,
        activityTaskSlotSupplier: {
          type: 'resource-based',
          minimumSlots: 4,
          tunerOptions: { targetMemoryUsage: 0.9, targetCpuUsage: 0.9 },
        },
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 3 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 3 },
      },
    };
    await withWorker({ workerHeartbeatInterval: '1s' }, options, async (worker, connection) => {
      await eventually(async () =>
        expect(await known(connection, worker)).toMatchObject({
          elapsedSinceLastHeartbeat: expect.anything(),
          workflowPollerInfo: { isAutoscaling: true },
          activityPollerInfo: { isAutoscaling: true, currentPollers: 2 },
          workflowTaskSlotsInfo: { slotSupplierKind: 'Custom' },
          activityTaskSlotsInfo: { slotSupplierKind: 'ResourceBased' },
          localActivitySlotsInfo: { slotSupplierKind: 'Fixed' },
        }),
      );
    });
  });

  it('are not sent when they are switched off', async () => {
    await withWorker({ workerHeartbeatInterval: 0 }, {}, async (worker, connection) => {
      await new Promise((resolve) => setTimeout(resolve, 1200));
      expect(await known(connection, worker)).toBeUndefined();
    });
  });
});
