/**
 * What schedules do when an action is due while the one before still runs, and when the server was away: seen from what
 * they started, on a real server.
 *
 * Actions fall due every second, and run until this test ends them; nothing depends on when it looks. Times that are
 * compared are nominal: the server's plan, not its clock.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client, Connection, type ScheduleDescription, type ScheduleHandle } from '@perdure/client';
import { startDevServer } from '@perdure/dev-server';
import type { Worker } from '@perdure/worker';
import { harness, until, workflowsDir } from './support/harness';
import { end } from './workflows/audit-schedules';

const h = harness();
const SHOWS_LATE_MS = 60_000;
let worker: Worker;

type Overlap = ScheduleDescription['policies']['overlap'];

function everySecond(client: Client, policies: { overlap: Overlap; catchupWindow?: number }, rest = {}) {
  return client.schedule.create({
    scheduleId: `every-second-${randomUUID()}`,
    spec: { intervals: [{ every: '1s' }] },
    action: { type: 'startWorkflow', workflowType: 'untilTold', taskQueue: worker.options.taskQueue },
    policies,
    ...rest,
  });
}

/** The description, once it shows what is waited for. */
async function shows(
  schedule: ScheduleHandle,
  what: string,
  good: (info: ScheduleDescription['info'], raw: ScheduleDescription['raw']) => boolean,
): Promise<ScheduleDescription['info']> {
  let last: ScheduleDescription | undefined;
  await until(
    async () => {
      last = await schedule.describe();
      return good(last.info, last.raw);
    },
    what,
    SHOWS_LATE_MS,
  );
  return last!.info;
}

/** How many actions each schedule may take. All begin at once: most of their time is waiting. */
const ACTIONS = { SKIP: 2, BUFFER_ONE: 2, BUFFER_ALL: 4, CANCEL_OTHER: 2, TERMINATE_OTHER: 2 };
const schedules = new Map<Overlap, ScheduleHandle>();
let afterOutage: Promise<AfterOutage>;

beforeAll(async () => {
  worker = await h.worker({ workflowsPath: join(workflowsDir, 'audit-schedules.ts') });
  h.background(worker);
  afterOutage = outage();
  afterOutage.catch(() => undefined); // its test tells
  for (const [overlap, remainingActions] of Object.entries(ACTIONS) as [Overlap, number][]) {
    schedules.set(overlap, await everySecond(h.client, { overlap }, { state: { remainingActions } }));
  }
});

const taken = ({ recentActions }: ScheduleDescription['info']) =>
  recentActions.map(({ scheduledAt, action }) => ({
    at: Math.round(scheduledAt.getTime() / 1000),
    handle: h.client.workflow.getHandle(action.workflow.workflowId, action.workflow.firstExecutionRunId),
  }));

describe('an action that is due while the one before runs', () => {
  it('is left out by SKIP', async () => {
    const schedule = schedules.get('SKIP')!;
    const before = await shows(schedule, 'two are left out', (info) => info.numActionsSkippedOverlap >= 2);
    expect([before.numActionsTaken, before.runningActions.length]).toEqual([1, 1]);
    const [first] = taken(before);
    await first!.handle.signal(end);
    const [, second] = taken(await shows(schedule, 'the next', (info) => info.numActionsTaken === 2));
    expect(second!.at - first!.at).toBeGreaterThanOrEqual(3); // those in between are not made up for
    await schedule.delete();
    await second!.handle.terminate();
  });

  it('waits by BUFFER_ONE, the first that was due and no other', async () => {
    const schedule = schedules.get('BUFFER_ONE')!;
    const before = await shows(
      schedule,
      'one waits and two are left out',
      (info, raw) => info.numActionsSkippedOverlap >= 2 && raw.info?.bufferSize?.toNumber() === 1,
    );
    expect([before.numActionsTaken, before.runningActions.length]).toEqual([1, 1]);
    const [first] = taken(before);
    await first!.handle.signal(end);
    const [, second] = taken(await shows(schedule, 'the next', (info) => info.numActionsTaken === 2));
    expect(second!.at - first!.at).toBe(1);
    await schedule.delete();
    await second!.handle.terminate();
  });

  it('waits by BUFFER_ALL, and so do all after it, in their order and one at a time', async () => {
    const schedule = schedules.get('BUFFER_ALL')!;
    await shows(schedule, 'three wait', (_, raw) => (raw.info?.bufferSize?.toNumber() ?? 0) >= 3);
    for (let count = 1; count <= 4; count++) {
      const info = await shows(
        schedule,
        `action ${count} runs`,
        ({ numActionsTaken, runningActions }) => numActionsTaken === count && runningActions.length === 1,
      );
      await taken(info).at(-1)!.handle.signal(end);
    }
    const info = await shows(schedule, 'all have ended', ({ runningActions }) => runningActions.length === 0);
    const times = taken(info).map(({ at }) => at);
    expect(times).toEqual([0, 1, 2, 3].map((seconds) => times[0]! + seconds));
    expect([info.numActionsTaken, info.numActionsSkippedOverlap]).toEqual([4, 0]);
    await schedule.delete();
  });

  it.each([
    ['CANCEL_OTHER', 'CANCELLED'],
    ['TERMINATE_OTHER', 'TERMINATED'],
  ] as const)('by %s ends that one, which is %s', async (overlap, status) => {
    const schedule = schedules.get(overlap)!;
    const info = await shows(schedule, 'the second runs', ({ numActionsTaken }) => numActionsTaken === 2);
    const [first, second] = taken(info);
    await until(
      async () => (await first!.handle.describe()).status.name === status,
      `the first is ${status}`,
      SHOWS_LATE_MS,
    );
    expect((await second!.handle.describe()).status.name).toBe('RUNNING');
    await schedule.delete();
    await second!.handle.terminate();
  });
});

interface AfterOutage {
  /** Of the schedule whose window is shorter than the outage. */
  readonly short: ScheduleDescription['info'];
  readonly long: ScheduleDescription['info'];
}

/** Stops the process of a server with two schedules for longer than the window of one. */
async function outage(): Promise<AfterOutage> {
  const server = await startDevServer({ useExisting: false });
  try {
    const connection = await Connection.connect({ address: server.address });
    const client = new Client({ connection });
    const action = { type: 'startWorkflow', workflowType: 'nobodyRunsIt', taskQueue: 'idle' } as const;
    // The server takes no window that is shorter than ten seconds.
    const [short, long] = await Promise.all(
      [10_000, 3_600_000].map((catchupWindow) =>
        everySecond(client, { overlap: 'ALLOW_ALL', catchupWindow }, { action }),
      ),
    );
    for (const schedule of [short, long]) {
      await shows(schedule!, 'it has begun', (info) => info.numActionsTaken >= 1);
    }
    process.kill(server.pid!, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 12_000));
    process.kill(server.pid!, 'SIGCONT');
    const infos = await Promise.all([
      shows(short!, 'some are missed', (info) => info.numActionsMissedCatchupWindow >= 1),
      shows(long!, 'all are made up for', (info) => info.numActionsTaken >= 12),
    ]);
    await connection.close();
    return { short: infos[0], long: infos[1] };
  } finally {
    await server.stop();
  }
}

it('what was due while the server was away is made up for within the catch-up window, and counted as missed after', async () => {
  const { short, long } = await afterOutage;
  expect(short.numActionsTaken).toBeGreaterThanOrEqual(1);
  expect(long.numActionsMissedCatchupWindow).toBe(0);
  const times = taken(long).map(({ at }) => at);
  expect(times.length).toBeGreaterThan(1);
  expect(times.map((at) => at - times[0]!)).toEqual(times.map((_, index) => index)); // none is left out
}, 180_000);
