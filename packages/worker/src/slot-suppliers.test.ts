import { hasCode } from '@perdure/common';
import type { SlotRequest } from '@perdure/proto/perdure/core/v1/exchange';
import { SlotAnswer, SlotKind } from '@perdure/proto/perdure/core/v1/exchange';
import Long from 'long';
import { DefaultLogger, type LogEntry } from './logger';
import { SlotSuppliers } from './slot-suppliers';
import type { ActivitySlotInfo, CustomSlotSupplier, SlotMarkUsedContext, SlotReleaseContext } from './tuner';

class Supplier implements CustomSlotSupplier<ActivitySlotInfo> {
  readonly type = 'custom';
  readonly calls: unknown[] = [];
  reserve: (signal: AbortSignal) => Promise<object> = async () => ({ permit: 'reserved' });
  tryReserve: () => any = () => ({ permit: 'tried' });
  fails = false;
  async reserveSlot(_ctx: unknown, signal: AbortSignal): Promise<object> {
    return this.reserve(signal);
  }
  tryReserveSlot(): object | null {
    return this.tryReserve();
  }
  markSlotUsed(ctx: SlotMarkUsedContext<ActivitySlotInfo>): void {
    this.calls.push(['used', ctx]);
    if (this.fails) throw new Error('no use');
  }
  releaseSlot(ctx: SlotReleaseContext<ActivitySlotInfo>): void {
    this.calls.push(['released', ctx]);
    if (this.fails) throw new Error('no release');
  }
}

function set() {
  const supplier = new Supplier();
  const answers: SlotAnswer[] = [];
  const lines: LogEntry[] = [];
  const fixed = { type: 'fixed-size', numSlots: 2 } as const;
  const slots = new SlotSuppliers({
    tuner: {
      workflowTaskSlotSupplier: fixed,
      activityTaskSlotSupplier: supplier,
      localActivityTaskSlotSupplier: fixed,
      nexusTaskSlotSupplier: fixed,
    },
    taskQueue: 'queue',
    identity: 'me',
    buildId: 'build',
    deploymentVersion: undefined,
    logger: new DefaultLogger('INFO', (line) => void lines.push(line)),
    answer: (bytes) => void answers.push(SlotAnswer.decode(bytes)),
    retryFirstMs: 1,
  });
  const tell = (permit: number, what: Partial<SlotRequest>) =>
    slots.handle({ permit: Long.fromNumber(permit, true), kind: SlotKind.SLOT_KIND_ACTIVITY, ...what });
  const answered = () => answers.map(({ permit, granted }) => [permit?.toNumber(), granted]);
  return { supplier, slots, lines, tell, answered };
}

async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

const use = { name: 'greet' };
const slotInfo = { type: 'activity', activityType: 'greet' };

describe('a permit', () => {
  it('is the same object from its grant to its release', async () => {
    const { supplier, tell, answered } = set();
    tell(1, { reserve: { sticky: false } });
    await until(() => answered().length === 1);
    tell(1, { used: use });
    tell(1, { released: { use } });
    const permit = { permit: 'reserved' };
    expect(answered()).toEqual([[1, true]]);
    expect(supplier.calls).toEqual([
      ['used', { slotInfo, permit }],
      ['released', { slotInfo, permit }],
    ]);
  });

  it('is released at once if it is granted to nobody', async () => {
    const { supplier, tell, answered } = set();
    let grant!: (permit: object) => void;
    let signal!: AbortSignal;
    supplier.reserve = (given) => {
      signal = given;
      return new Promise((resolve) => {
        grant = resolve;
      });
    };
    tell(1, { reserve: {} });
    tell(1, { abandoned: true });
    expect(signal.aborted).toBe(true);
    grant({ permit: 'late' });
    await until(() => supplier.calls.length > 0);
    expect(supplier.calls).toEqual([['released', { permit: { permit: 'late' } }]]);
    expect(answered()).toEqual([]);
  });

  it('is released if the grant crosses with the word that nobody waits', async () => {
    const { supplier, tell } = set();
    tell(1, { tryReserve: {} });
    tell(1, { abandoned: true });
    tell(1, { released: {} });
    expect(supplier.calls).toEqual([['released', { permit: { permit: 'tried' } }]]);
  });

  it('is released when the worker has stopped', async () => {
    const { supplier, slots, tell } = set();
    tell(1, { tryReserve: {} });
    slots.close();
    tell(1, { released: {} });
    expect(supplier.calls).toHaveLength(1);
  });
});

describe('a supplier that fails', () => {
  it('is asked again until it grants, and each failure is logged with its code', async () => {
    const { supplier, tell, answered, lines } = set();
    let failures = 2;
    supplier.reserve = async () => {
      if (failures-- > 0) throw new Error('not today');
      return {};
    };
    tell(1, { reserve: {} });
    await until(() => answered().length === 1);
    expect(lines).toHaveLength(2);
    expect(hasCode(lines[0]!.meta!.error, 'WORKER_SLOT_SUPPLIER_FAILED')).toBe(true);
    expect(lines[0]!.meta).toMatchObject({ slotType: 'activity', method: 'reserveSlot' });
  });

  it('is not asked again once nobody waits', async () => {
    const { supplier, tell, lines } = set();
    let asked = 0;
    supplier.reserve = async () => {
      asked++;
      throw new Error('never');
    };
    tell(1, { reserve: {} });
    await until(() => lines.length > 0);
    tell(1, { abandoned: true });
    const before = asked;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toBe(before);
  });

  it('may reject once its signal has fired, which is no failure', async () => {
    const { supplier, tell, lines } = set();
    supplier.reserve = (signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    tell(1, { reserve: {} });
    tell(1, { abandoned: true });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(lines).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no try');
      },
    ],
    ['gives a promise', async () => ({})],
    ['gives null', () => null],
    ['gives nothing', () => undefined],
  ])('has no slot to give when its tryReserveSlot %s', (_what, tryReserve) => {
    const { supplier, tell, answered } = set();
    supplier.tryReserve = tryReserve;
    tell(1, { tryReserve: {} });
    expect(answered()).toEqual([[1, false]]);
  });

  it('cannot keep a permit by throwing, and does not flood the log', () => {
    const { supplier, tell, lines } = set();
    supplier.fails = true;
    for (let permit = 1; permit <= 100; permit++) {
      tell(permit, { tryReserve: {} });
      tell(permit, { used: use });
      tell(permit, { released: { use } });
    }
    expect(supplier.calls).toHaveLength(200);
    expect(lines.map(({ meta }) => meta?.method)).toEqual(['markSlotUsed', 'releaseSlot']);
  });
});
