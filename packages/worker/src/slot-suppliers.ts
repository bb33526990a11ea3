/**
 * Custom slot suppliers: user code that the native side asks for slots.
 *
 * Owns    the permits that suppliers have granted, by the numbers that the native side knows them by.
 * Leaves  when to ask to the core, what to grant to the suppliers.
 * P1  Each permit that a supplier has granted is released exactly once, also when nobody wants it any more, and at
 *     the latest when the worker has stopped.
 * P2  What a supplier throws never leaves here: it is logged, and taken as "no slot now". A failed reservation is
 *     tried again after a pause, so that a supplier that recovers finds a worker that polls.
 */
import type { Logger, WorkerDeploymentVersion } from '@perdure/common';
import { SdkComponent } from '@perdure/common';
import type { SlotRequest, SlotUse } from '@perdure/proto/perdure/core/v1/exchange';
import { SlotAnswer, SlotKind } from '@perdure/proto/perdure/core/v1/exchange';
import Long from 'long';
import { SlotSupplierError } from './errors';
import type { CustomSlotSupplier, SlotInfo, SlotPermit, SlotReserveContext, WorkerTuner } from './tuner';

type Supplier = CustomSlotSupplier<any>;
type Method = Exclude<keyof Supplier, 'type'>;

const RETRY_FIRST_MS = 100;
const RETRY_LONGEST_MS = 10_000;
/** A supplier that fails with every task is logged this often. */
const COMPLAINT_INTERVAL_MS = 5_000;

const SLOT_TYPES: Readonly<Partial<Record<SlotKind, SlotInfo['type']>>> = {
  [SlotKind.SLOT_KIND_WORKFLOW]: 'workflow',
  [SlotKind.SLOT_KIND_ACTIVITY]: 'activity',
  [SlotKind.SLOT_KIND_LOCAL_ACTIVITY]: 'local-activity',
  [SlotKind.SLOT_KIND_NEXUS]: 'nexus',
};

export interface SlotSuppliersOptions {
  readonly tuner: WorkerTuner;
  readonly taskQueue: string;
  readonly identity: string;
  readonly buildId: string;
  readonly deploymentVersion: WorkerDeploymentVersion | undefined;
  readonly logger: Logger;
  /** @param answer encoded perdure.core.v1.SlotAnswer */
  readonly answer: (answer: Uint8Array) => void;
  /** (=100 ms, doubled up to 10 s) */
  readonly retryFirstMs?: number;
}

/** A permit, asked for or granted. */
type Entry =
  | { readonly kind: 'asked'; readonly abort: AbortController }
  | { readonly kind: 'granted'; readonly type: SlotInfo['type']; readonly permit: SlotPermit };

/** The custom suppliers of one worker. */
export class SlotSuppliers {
  readonly #suppliers: ReadonlyMap<SlotInfo['type'], Supplier>;
  readonly #entries = new Map<number, Entry>();
  readonly #quietUntilMs = new Map<string, number>();
  #closed = false;

  constructor(private readonly options: SlotSuppliersOptions) {
    this.#suppliers = customSuppliers(options.tuner);
  }

  /** Whether there is a custom supplier at all. */
  static areIn(tuner: WorkerTuner): boolean {
    return customSuppliers(tuner).size > 0;
  }

  /** Takes what the native side asks or tells. Never throws. */
  handle({ permit: number = Long.ZERO, kind = 0, ...what }: SlotRequest): void {
    const type = SLOT_TYPES[kind];
    const supplier = type && this.#suppliers.get(type);
    if (type === undefined || supplier === undefined || this.#closed) return;
    const id = number.toNumber();
    if (what.reserve !== undefined) void this.#reserve(id, type, supplier, what.reserve.sticky ?? false);
    else if (what.tryReserve !== undefined) {
      this.#tryReserve(id, type, supplier, what.tryReserve.sticky ?? false);
    } else if (what.used !== undefined) this.#used(id, type, supplier, what.used);
    else if (what.released !== undefined) this.#release(id, what.released.use);
    else if (what.abandoned) this.#abandon(id);
  }

  /** The worker has stopped: whatever is still held is released (P1). */
  close(): void {
    for (const id of [...this.#entries.keys()]) this.#abandon(id);
    this.#closed = true;
  }

  async #reserve(id: number, type: SlotInfo['type'], supplier: Supplier, isSticky: boolean): Promise<void> {
    const abort = new AbortController();
    this.#entries.set(id, { kind: 'asked', abort });
    let pauseMs = this.options.retryFirstMs ?? RETRY_FIRST_MS;
    for (;;) {
      try {
        const permit = await supplier.reserveSlot(this.#context(type, isSticky), abort.signal);
        this.#entries.set(id, { kind: 'granted', type, permit });
        if (abort.signal.aborted)
          this.#release(id); // P1
        else this.#answer(id, true);
        return;
      } catch (error) {
        if (abort.signal.aborted) break; // as the interface has it
        this.#complain(type, 'reserveSlot', error, pauseMs); // P2
        await passed(pauseMs, abort.signal);
        if (abort.signal.aborted) break;
        pauseMs = Math.min(pauseMs * 2, RETRY_LONGEST_MS);
      }
    }
    this.#entries.delete(id);
  }

  #tryReserve(id: number, type: SlotInfo['type'], supplier: Supplier, isSticky: boolean): void {
    let permit: SlotPermit | null | undefined;
    try {
      permit = supplier.tryReserveSlot(this.#context(type, isSticky));
      if (typeof (permit as { then?: unknown } | null)?.then === 'function') {
        void Promise.resolve(permit).catch(() => undefined);
        permit = null;
        throw new TypeError('tryReserveSlot gave a promise: it has to give a permit, or null, at once');
      }
    } catch (error) {
      this.#complain(type, 'tryReserveSlot', error); // P2
    }
    const granted = permit !== null && permit !== undefined;
    if (granted) this.#entries.set(id, { kind: 'granted', type, permit: permit as SlotPermit });
    this.#answer(id, granted);
  }

  #used(id: number, type: SlotInfo['type'], supplier: Supplier, use: SlotUse): void {
    const entry = this.#entries.get(id);
    if (entry?.kind !== 'granted') return;
    try {
      supplier.markSlotUsed({ slotInfo: slotInfo(type, use), permit: entry.permit });
    } catch (error) {
      this.#complain(type, 'markSlotUsed', error); // P2
    }
  }

  #release(id: number, use?: SlotUse): void {
    const entry = this.#entries.get(id);
    if (entry?.kind !== 'granted') return;
    this.#entries.delete(id); // P1
    const { type, permit } = entry;
    try {
      this.#suppliers.get(type)!.releaseSlot({
        ...(use !== undefined && { slotInfo: slotInfo(type, use) }),
        permit,
      });
    } catch (error) {
      this.#complain(type, 'releaseSlot', error); // P2
    }
  }

  #abandon(id: number): void {
    const entry = this.#entries.get(id);
    if (entry?.kind === 'granted') this.#release(id);
    else entry?.abort.abort();
  }

  #answer(id: number, granted: boolean): void {
    this.options.answer(SlotAnswer.encode({ permit: Long.fromNumber(id, true), granted }).finish());
  }

  #context(slotType: SlotInfo['type'], isSticky: boolean): SlotReserveContext {
    const { taskQueue, identity, buildId, deploymentVersion } = this.options;
    return {
      slotType,
      taskQueue,
      workerIdentity: identity,
      workerBuildId: buildId,
      ...(deploymentVersion && { workerDeploymentVersion: deploymentVersion }),
      isSticky,
    };
  }

  #complain(type: SlotInfo['type'], method: Method, cause: unknown, retryMs?: number): void {
    const key = `${type} ${method}`;
    const nowMs = Date.now();
    if (retryMs === undefined && nowMs < (this.#quietUntilMs.get(key) ?? 0)) return;
    this.#quietUntilMs.set(key, nowMs + COMPLAINT_INTERVAL_MS);
    const error = new SlotSupplierError(type, method, cause);
    this.options.logger.error(error.message, {
      sdkComponent: SdkComponent.worker,
      taskQueue: this.options.taskQueue,
      slotType: type,
      method,
      ...(retryMs !== undefined && { retryMs }),
      error,
    });
  }
}

function customSuppliers(tuner: WorkerTuner): Map<SlotInfo['type'], Supplier> {
  const found = new Map<SlotInfo['type'], Supplier>();
  if (!('workflowTaskSlotSupplier' in tuner)) return found;
  const given = [
    ['workflow', tuner.workflowTaskSlotSupplier],
    ['activity', tuner.activityTaskSlotSupplier],
    ['local-activity', tuner.localActivityTaskSlotSupplier],
    ['nexus', tuner.nexusTaskSlotSupplier],
  ] as const;
  for (const [type, supplier] of given) if (supplier.type === 'custom') found.set(type, supplier);
  return found;
}

function slotInfo(type: SlotInfo['type'], { name = '', operation = '', sticky = false }: SlotUse): SlotInfo {
  switch (type) {
    case 'workflow':
      return { type, workflowType: name, isSticky: sticky };
    case 'nexus':
      return { type, service: name, operation };
    default:
      return { type, activityType: name };
  }
}

/** Resolves when the time has passed or the signal aborts. */
function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms).unref();
    signal.addEventListener('abort', end);
  });
}
