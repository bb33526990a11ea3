import { randomUUID } from 'node:crypto';
import {
  type CalendarSpec,
  Client,
  Connection,
  ScheduleAlreadyRunning,
  type ScheduleDescription,
  ScheduleNotFoundError,
  type ScheduleOptions,
} from '@perdure/client';
import { defineSearchAttributeKey } from '@perdure/common';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import * as fc from 'fast-check';
import { decodeScheduleSpec, encodeScheduleSpec } from './schedule-spec';
import { FlipCodec } from './testing/codec';
import { eventually } from './testing/eventually';

const customer = defineSearchAttributeKey('Customer', 'KEYWORD');
const HOUR_MS = 3_600_000;

let server: DevServer;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  server = await startDevServer({ useExisting: false, searchAttributes: { Customer: 'Keyword' } });
  connection = await Connection.connect({ address: server.address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection?.close();
  await server?.stop();
});

async function order(_id: string, _items: number[]): Promise<void> {}

const options = (rest: Partial<ScheduleOptions> = {}): ScheduleOptions => ({
  scheduleId: randomUUID(),
  spec: { intervals: [{ every: '1 hour' }] },
  action: { type: 'startWorkflow', workflowType: 'scheduled', taskQueue: 'idle' },
  ...rest,
});
const keep = ({ spec, action, policies, state }: ScheduleDescription) =>
  ({ spec, action, policies, state }) as any;

describe('ScheduleClient', () => {
  it('creates a schedule with everything in it, and describes it as it was given', async () => {
    const startAt = new Date('2030-01-01T00:00:00Z');
    const handle = await client.schedule.create({
      scheduleId: randomUUID(),
      spec: {
        calendars: [{ hour: { start: 8, end: 18 }, dayOfWeek: ['MONDAY', 'FRIDAY'], comment: 'office' }],
        intervals: [{ every: '30m', offset: '5m' }],
        skip: [{ hour: 12, minute: '*', month: 'DECEMBER', second: '*' }],
        startAt,
        jitter: '10s',
        timezone: 'Europe/Berlin',
      },
      action: {
        type: 'startWorkflow',
        workflowType: order,
        taskQueue: 'idle',
        args: ['a', [1, 2]],
        workflowRunTimeout: '1h',
        retry: { maximumAttempts: 2 },
        memo: { of: 'action' },
        staticSummary: 'summary',
        typedSearchAttributes: [{ key: customer, value: 'bob' }],
      },
      policies: { overlap: 'BUFFER_ONE', catchupWindow: '1 day', pauseOnFailure: true },
      memo: { of: 'schedule' },
      typedSearchAttributes: [{ key: customer, value: 'ann' }],
      state: { paused: true, note: 'not yet', remainingActions: 3 },
    });
    const description = await handle.describe();
    expect(description).toMatchObject({
      scheduleId: handle.scheduleId,
      spec: {
        calendars: [
          {
            hour: [{ start: 8, end: 18, step: 1 }],
            minute: [{ start: 0, end: 0, step: 1 }],
            dayOfWeek: [
              { start: 'MONDAY', end: 'MONDAY', step: 1 },
              { start: 'FRIDAY', end: 'FRIDAY', step: 1 },
            ],
            month: [{ start: 'JANUARY', end: 'DECEMBER', step: 1 }],
            comment: 'office',
          },
        ],
        intervals: [{ every: 1_800_000, offset: 300_000 }],
        skip: [
          {
            month: [{ start: 'DECEMBER', end: 'DECEMBER', step: 1 }],
            second: [{ start: 0, end: 59, step: 1 }],
          },
        ],
        startAt,
        jitter: 10_000,
        timezone: 'Europe/Berlin',
      },
      action: {
        type: 'startWorkflow',
        workflowType: 'order',
        workflowId: `${handle.scheduleId}-workflow`,
        taskQueue: 'idle',
        args: ['a', [1, 2]],
        workflowRunTimeout: HOUR_MS,
        retry: { maximumAttempts: 2 },
        memo: { of: 'action' },
        staticSummary: 'summary',
      },
      policies: { overlap: 'BUFFER_ONE', catchupWindow: 24 * HOUR_MS, pauseOnFailure: true },
      memo: { of: 'schedule' },
      searchAttributes: { Customer: ['ann'] },
      state: { paused: true, note: 'not yet', remainingActions: 3 },
      info: { numActionsTaken: 0, recentActions: [], runningActions: [] },
    });
    expect(description.typedSearchAttributes.get(customer)).toBe('ann');
    expect((description.action.typedSearchAttributes as any).get(customer)).toBe('bob');
    expect(description.info.nextActionTimes.every((time) => time >= startAt)).toBe(true);
    expect(description.info.nextActionTimes.length).toBeGreaterThan(0);
  });

  it('really fires, and starts the workflow with its arguments', async () => {
    const handle = await client.schedule.create(
      options({
        spec: { intervals: [{ every: '1s' }] },
        action: { type: 'startWorkflow', workflowType: 'ticked', taskQueue: 'idle', args: ['tick'] },
        policies: { overlap: 'ALLOW_ALL' },
        state: { remainingActions: 2 },
      }),
    );
    const { info } = await eventually(
      () => handle.describe(),
      (described) => described.info.numActionsTaken === 2,
    );
    expect(info.recentActions).toHaveLength(2);
    const { workflow } = info.recentActions[0]!.action;
    expect(workflow.workflowId).toMatch(new RegExp(`^${handle.scheduleId}-workflow-`));
    const started = await client.workflow
      .getHandle(workflow.workflowId, workflow.firstExecutionRunId)
      .fetchHistory();
    const { input, workflowType } = started.events![0]!.workflowExecutionStartedEventAttributes!;
    expect(workflowType!.name).toBe('ticked');
    expect(Buffer.from(input!.payloads![0]!.data!).toString()).toBe('"tick"');
  });

  it('triggers, backfills, pauses and goes on', async () => {
    const handle = await client.schedule.create(
      options({ policies: { overlap: 'ALLOW_ALL' }, state: { paused: true, triggerImmediately: true } }),
    );
    await eventually(
      () => handle.describe(),
      ({ info }) => info.numActionsTaken === 1,
    );
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // workflow ids carry the second
    await handle.trigger();
    await eventually(
      () => handle.describe(),
      ({ info }) => info.numActionsTaken === 2,
    );
    const end = new Date(Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS);
    await handle.backfill({ start: new Date(end.getTime() - 2 * HOUR_MS), end, overlap: 'ALLOW_ALL' });
    await eventually(
      () => handle.describe(),
      ({ info }) => info.numActionsTaken === 5,
    );
    await handle.unpause('go');
    expect((await handle.describe()).state).toMatchObject({ paused: false, note: 'go' });
    await handle.pause();
    expect((await handle.describe()).state).toMatchObject({
      paused: true,
      note: 'Paused via TypeScript SDK',
    });
  });

  it('updates from its description and keeps what the update leaves alone', async () => {
    const handle = await client.schedule.create(
      options({
        state: { paused: true, note: '0' },
        typedSearchAttributes: [{ key: customer, value: 'ann' }],
      }),
    );
    for (const note of ['1', '2', '3']) {
      await handle.update((previous) => {
        expect(previous.state.note).toBe(String(Number(note) - 1));
        return { ...keep(previous), state: { paused: true, note } };
      });
      await eventually(
        () => handle.describe(),
        ({ state }) => state.note === note,
      );
    }
    await handle.update((previous) => ({
      ...keep(previous),
      spec: { intervals: [{ every: '2h' }] },
      action: { ...previous.action, args: ['new'] },
      typedSearchAttributes: [{ key: customer, value: 'bob' }],
    }));
    const after = await eventually(
      () => handle.describe(),
      ({ action }) => action.args.length === 1,
    );
    expect(after.spec.intervals).toEqual([{ every: 2 * HOUR_MS, offset: 0 }]);
    expect(after.action).toMatchObject({ workflowType: 'scheduled', args: ['new'] });
    expect(after.state).toMatchObject({ paused: true, note: '3' });
    // The server applies search attributes in a step of its own, a moment later.
    await eventually(
      () => handle.describe(),
      ({ typedSearchAttributes }) => typedSearchAttributes.get(customer) === 'bob',
    );
    expect(after.info.lastUpdatedAt).toBeInstanceOf(Date);
  });

  it('lists schedules, and deletes them', async () => {
    const created = await Promise.all(
      [1, 2, 3].map((n) =>
        client.schedule.create(options({ scheduleId: `listed-${n}`, memo: { n }, state: { paused: true } })),
      ),
    );
    const listed = async () => {
      const all = [];
      for await (const summary of client.schedule.list({ pageSize: 2 })) {
        if (summary.scheduleId.startsWith('listed-')) all.push(summary);
      }
      return all;
    };
    const all = await eventually(listed, ({ length }) => length === 3);
    expect(all.map(({ memo }) => memo!.n).sort()).toEqual([1, 2, 3]);
    expect(all[0]).toMatchObject({ action: { workflowType: 'scheduled' }, state: { paused: true } });
    await Promise.all(created.map((handle) => handle.delete()));
    await eventually(listed, ({ length }) => length === 0);
  });

  it('throws typed errors for ids that are in use or unknown', async () => {
    const given = options({ state: { paused: true } });
    await client.schedule.create(given);
    const taken = await client.schedule.create(given).catch((error) => error);
    expect(taken).toBeInstanceOf(ScheduleAlreadyRunning);
    expect(taken).toMatchObject({ code: 'SCHEDULE_ALREADY_EXISTS', scheduleId: given.scheduleId });
    const unknown = client.schedule.getHandle('unknown');
    for (const call of [
      () => unknown.describe(),
      () => unknown.update(keep),
      () => unknown.delete(),
      () => unknown.trigger(),
      () => unknown.pause(),
    ]) {
      await expect(call()).rejects.toBeInstanceOf(ScheduleNotFoundError);
    }
    const elsewhere = new Client({ connection, namespace: 'nowhere' });
    await expect(elsewhere.schedule.getHandle('x').describe()).rejects.toMatchObject({
      code: 'NAMESPACE_NOT_FOUND',
    });
  });

  it('runs codecs over arguments and memos', async () => {
    const codec = new FlipCodec();
    const coded = new Client({ connection, dataConverter: { payloadCodecs: [codec] } });
    const handle = await coded.schedule.create(
      options({
        action: { type: 'startWorkflow', workflowType: 'x', taskQueue: 'idle', args: ['secret'] },
        memo: { also: 'secret' },
        state: { paused: true },
      }),
    );
    const { action, memo, raw } = await handle.describe();
    expect([action.args, memo]).toEqual([['secret'], { also: 'secret' }]);
    const stored = raw.schedule!.action!.startWorkflow!.input!.payloads![0]!;
    expect(Buffer.from(stored.metadata!.encoding!).toString()).toBe('binary/flipped');
  });

  it('lets interceptors change what is created', async () => {
    const intercepted = new Client({
      connection,
      interceptors: {
        schedule: [
          {
            create: async (input, next) =>
              await next({ ...input, headers: { trace: { data: Buffer.from('t') } } }),
          },
        ],
      },
    });
    const handle = await intercepted.schedule.create(options({ state: { paused: true } }));
    const { raw } = await handle.describe();
    expect(Buffer.from(raw.schedule!.action!.startWorkflow!.header!.fields!.trace!.data!).toString()).toBe(
      't',
    );
  });
});

describe('calendars', () => {
  it.each([
    { second: 60 },
    { hour: -1 },
    { dayOfMonth: 0 },
    { month: 'JAN' },
    { dayOfWeek: 'FUNDAY' },
    { hour: { start: 5, end: 3 } },
    { minute: { start: 0, end: 9, step: 0 } },
    { year: 1.5 },
  ])('refuse %j', (calendar) => {
    expect(() => encodeScheduleSpec({ calendars: [calendar as CalendarSpec] })).toThrow(/Invalid/);
  });

  it('come back as they went, whatever the ranges', () => {
    const range = (min: number, max: number) =>
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }), fc.integer({ min: 1, max: 5 }))
        .map(([a, b, step]) => ({ start: Math.min(a, b), end: Math.max(a, b), step }));
    const calendar = fc.record({
      second: fc.array(range(0, 59), { minLength: 1, maxLength: 3 }),
      hour: fc.array(range(0, 23), { minLength: 1, maxLength: 3 }),
      dayOfMonth: fc.array(range(1, 31), { minLength: 1, maxLength: 3 }),
    });
    fc.assert(
      fc.property(calendar, (given) => {
        const [decoded] = decodeScheduleSpec(encodeScheduleSpec({ calendars: [given] })).calendars!;
        expect(decoded).toMatchObject(given);
      }),
    );
  });
});
