/** Slots: who decides how many tasks a worker takes at a time, and what comes of it on a real server. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { hasCode } from '@perdure/common';
import {
  type CustomSlotSupplier,
  ResourceBasedController,
  type SlotInfo,
  type SlotMarkUsedContext,
  type SlotPermit,
  type SlotReleaseContext,
  type SlotReserveContext,
  type Worker,
  type WorkerTuner,
} from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { eventually, harness, until, workflowsDir } from './support/harness';
import * as workflows from './workflows/tuned';

const h = harness();
const workflowsPath = join(workflowsDir, 'tuned.ts');

/** Grants `size` slots at a time, and remembers everything. */
class Counting<SI extends SlotInfo> implements CustomSlotSupplier<SI> {
  readonly type = 'custom';
  readonly contexts: SlotReserveContext[] = [];
  readonly used: SI[] = [];
  readonly released: (SI | undefined)[] = [];
  readonly held = new Set<SlotPermit>();
  most = 0;
  tried = 0;
  aborted = 0;
  #waiting: (() => void)[] = [];

  constructor(readonly size: number) {}

  async reserveSlot(ctx: SlotReserveContext, abortSignal: AbortSignal): Promise<SlotPermit> {
    this.contexts.push(ctx);
    while (this.held.size >= this.size) {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.push(resolve);
        abortSignal.addEventListener('abort', () => {
          this.aborted++;
          reject(abortSignal.reason);
        });
      });
    }
    return this.#grant();
  }
  tryReserveSlot(ctx: SlotReserveContext): SlotPermit | null {
    this.tried++;
    this.contexts.push(ctx);
    return this.held.size < this.size ? this.#grant() : null;
  }
  markSlotUsed({ slotInfo, permit }: SlotMarkUsedContext<SI>): void {
    if (!this.held.has(permit)) throw new Error('used a permit that is not there');
    this.used.push(slotInfo);
  }
  releaseSlot({ slotInfo, permit }: SlotReleaseContext<SI>): void {
    if (!this.held.delete(permit)) throw new Error('released a permit that is not there');
    this.released.push(slotInfo);
    for (const wake of this.#waiting.splice(0)) wake();
  }
  #grant(): SlotPermit {
    const permit = {};
    this.held.add(permit);
    this.most = Math.max(this.most, this.held.size);
    return permit;
  }
}

const fixed = (numSlots: number) => ({ type: 'fixed-size', numSlots }) as const;
const fixedTuner = (): Exclude<WorkerTuner, { tunerOptions?: object; controller?: object }> =>
  ({
    workflowTaskSlotSupplier: fixed(5),
    activityTaskSlotSupplier: fixed(5),
    localActivityTaskSlotSupplier: fixed(5),
    nexusTaskSlotSupplier: fixed(5),
  }) as any;

/**
 * Activities that know how many of them run at a time.
 * @param expected they wait for each other until so many have run at a time, or for a second
 */
function counted(expected = 1) {
  let running = 0;
  const activity = async (name: string) => {
    running++;
    counts.most = Math.max(counts.most, running);
    await new Promise((resolve) => setTimeout(resolve, 30));
    for (let i = 0; i < 100 && counts.most < expected; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    running--;
    return name;
  };
  const counts = { most: 0, activities: { greet: activity, nearby: activity } };
  return counts;
}

describe('custom slot suppliers', () => {
  it('of every kind are asked, told of the task, and get each permit back once', async () => {
    const endpoint = `endpoint-${randomUUID()}`;
    const suppliers = {
      workflowTaskSlotSupplier: new Counting<any>(4),
      activityTaskSlotSupplier: new Counting<any>(4),
      localActivityTaskSlotSupplier: new Counting<any>(4),
      nexusTaskSlotSupplier: new Counting<any>(4),
    };
    const worker = await h.worker({
      workflowsPath,
      activities: counted().activities,
      nexusServices: [
        nexus.serviceHandler(workflows.service, { echo: async (_ctx, text) => `echo ${text}` }),
      ],
      workerDeploymentOptions: {
        version: { deploymentName: 'tuned', buildId: '1.0' },
        useWorkerVersioning: false,
      },
      tuner: suppliers,
    });
    await h.connection.operatorService.createNexusEndpoint({
      spec: {
        name: endpoint,
        target: { worker: { namespace: 'default', taskQueue: worker.options.taskQueue } },
      },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'everyKind', [endpoint])).toEqual(['there', 'there', 'echo there']);
    });
    const { taskQueue, identity } = worker.options;
    const [workflow, activity, local, nexusTasks] = Object.values(suppliers);
    for (const [type, supplier] of [
      ['workflow', workflow],
      ['activity', activity],
      ['local-activity', local],
      ['nexus', nexusTasks],
    ] as const) {
      const { contexts, used, released, held } = supplier!;
      expect(contexts[0]).toEqual({
        slotType: type,
        taskQueue,
        workerIdentity: identity,
        workerBuildId: '1.0',
        workerDeploymentVersion: { deploymentName: 'tuned', buildId: '1.0' },
        isSticky: expect.any(Boolean),
      });
      await until(() => held.size === 0, 'all permits are back');
      expect(released.filter((info) => info !== undefined)).toEqual(used);
    }
    expect(new Set(workflow!.contexts.map(({ isSticky }) => isSticky))).toEqual(new Set([true, false]));
    expect(workflow!.used[0]).toEqual({ type: 'workflow', workflowType: 'everyKind', isSticky: false });
    expect(workflow!.used.some(({ isSticky }) => isSticky)).toBe(true);
    expect(activity!.used).toEqual([{ type: 'activity', activityType: 'greet' }]);
    expect(local!.used).toEqual([{ type: 'local-activity', activityType: 'nearby' }]);
    expect(nexusTasks!.used).toEqual([{ type: 'nexus', service: 'tuned', operation: 'echo' }]);
  });

  it('limit what runs at a time', async () => {
    const remote = counted();
    const supplier = new Counting<any>(2);
    const worker = await h.worker({
      workflowsPath,
      activities: remote.activities,
      tuner: { ...fixedTuner(), activityTaskSlotSupplier: supplier },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'manyAtOnce', [12])).toHaveLength(12);
    });
    expect(supplier.most).toBe(2);
    expect(remote.most).toBeLessThanOrEqual(2);
    expect(supplier.used).toHaveLength(12);
  });

  it('are asked at once for activities that begin eagerly', async () => {
    const supplier = new Counting<any>(50);
    const worker = await h.worker({
      workflowsPath,
      activities: counted().activities,
      tuner: { ...fixedTuner(), activityTaskSlotSupplier: supplier },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'manyEagerly', [3])).toHaveLength(3);
    });
    expect(supplier.tried).toBeGreaterThan(0);
    await until(() => supplier.held.size === 0, 'all permits are back');
  });

  it('that grant nothing do not keep a worker from stopping, and hear that nobody waits', async () => {
    const supplier = new Counting<any>(0);
    const worker = await h.worker({
      activities: counted().activities,
      tuner: { ...fixedTuner(), activityTaskSlotSupplier: supplier },
    });
    await worker.runUntil(async () => {
      await until(() => supplier.contexts.length > 0, 'the supplier is asked');
    });
    expect(worker.getState()).toBe('STOPPED');
    await eventually(() => expect(supplier.aborted).toBe(supplier.contexts.length));
  });

  it('that throw everywhere cost log lines, and the tasks are done all the same', async () => {
    const broken = new Counting<any>(5);
    let refusals = 2;
    const { reserveSlot, markSlotUsed, releaseSlot } = Counting.prototype;
    broken.reserveSlot = (...args) => {
      if (refusals-- > 0) throw new Error('no slot today');
      return reserveSlot.apply(broken, args);
    };
    broken.tryReserveSlot = () => {
      throw new Error('no try');
    };
    broken.markSlotUsed = (ctx) => {
      markSlotUsed.call(broken, ctx as any);
      throw new Error('no use');
    };
    broken.releaseSlot = (ctx) => {
      releaseSlot.call(broken, ctx as any);
      throw new Error('no release');
    };
    const worker = await h.worker({
      workflowsPath,
      activities: counted().activities,
      tuner: { ...fixedTuner(), activityTaskSlotSupplier: broken },
    });
    const before = h.log.lines.length;
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'manyEagerly', [12])).toHaveLength(12);
    });
    await eventually(() => {
      const complaints = h.log.lines
        .slice(before)
        .filter(({ meta }) => hasCode(meta.error, 'WORKER_SLOT_SUPPLIER_FAILED'));
      expect(new Set(complaints.map(({ meta }) => meta.method))).toEqual(
        new Set(['reserveSlot', 'tryReserveSlot', 'markSlotUsed', 'releaseSlot']),
      );
      expect(broken.held.size).toBe(0);
    });
  });

  it('may be asked while workflows run on this very thread', async () => {
    const supplier = new Counting<any>(5);
    const worker = await h.worker({
      workflowsPath,
      debugMode: true,
      activities: counted().activities,
      tuner: { ...fixedTuner(), activityTaskSlotSupplier: supplier },
    });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, 'manyEagerly', [4])).toHaveLength(4);
    });
    await until(() => supplier.held.size === 0, 'all permits are back');
    expect(supplier.used).toHaveLength(4);
  });
});

describe('tuners', () => {
  const limits = { minimumSlots: 1, maximumSlots: 3, rampThrottle: '1ms' } as const;
  const loose = { targetMemoryUsage: 1, targetCpuUsage: 1 };

  async function most(tuner: WorkerTuner, workflow = 'manyAtOnce', expected = 1): Promise<number> {
    const remote = counted(expected);
    const worker = await h.worker({ workflowsPath, activities: remote.activities, tuner });
    await worker.runUntil(async () => {
      expect(await h.execute(worker, workflow, [9])).toHaveLength(9);
    });
    return remote.most;
  }

  it('of a fixed size keep to it, for activities and local ones', async () => {
    const tuner = {
      ...fixedTuner(),
      activityTaskSlotSupplier: fixed(3),
      localActivityTaskSlotSupplier: fixed(2),
    };
    expect(await most(tuner)).toBeLessThanOrEqual(3);
    expect(await most(tuner, 'manyNearby', 2)).toBe(2);
  });

  it('by resources give no more than their maximum, and no more than their minimum above the target', async () => {
    expect(await most({ tunerOptions: loose, activityTaskSlotOptions: limits })).toBeLessThanOrEqual(3);
    const strained = { targetMemoryUsage: 0, targetCpuUsage: 0 };
    expect(await most({ tunerOptions: strained, activityTaskSlotOptions: limits })).toBe(1);
  });

  it('mix suppliers of all sorts', async () => {
    const custom = new Counting<any>(4);
    const worked = await most({
      workflowTaskSlotSupplier: { type: 'resource-based', tunerOptions: loose },
      activityTaskSlotSupplier: custom,
      localActivityTaskSlotSupplier: fixed(1),
      nexusTaskSlotSupplier: { type: 'resource-based', tunerOptions: { ...loose } },
    });
    expect(worked).toBeLessThanOrEqual(4);
    expect(custom.used).toHaveLength(9);
  });

  it('of several workers share a controller', async () => {
    const controller = ResourceBasedController.create({ targetMemoryUsage: 0, targetCpuUsage: 0 });
    const make = async (): Promise<[Worker, { most: number }]> => {
      const remote = counted();
      const tuner = { controller, activityTaskSlotOptions: limits };
      return [await h.worker({ workflowsPath, activities: remote.activities, tuner }), remote];
    };
    for (const [worker, remote] of [await make(), await make()]) {
      await worker.runUntil(async () => {
        expect(await h.execute(worker, 'manyAtOnce', [4])).toHaveLength(4);
      });
      expect(remote.most).toBe(1);
    }
  });
});
