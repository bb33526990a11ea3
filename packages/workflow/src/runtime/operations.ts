/**
 * Operations that wait for a job: which promise a resolution settles, and what cancelling does to it.
 *
 * O1  A number is used once per kind; a resolution of an operation that is no longer waited for is ignored,
 *     since the core may resolve what was cancelled in the same activation.
 */
import type { CancelledFailure } from '@perdure/common';

/** Something that a cancellation scope tells when it is cancelled. */
export interface CancelListener {
  /** Called once, one microtask after the scope's cancellation was asked for. */
  onCancel(error: CancelledFailure): void;
}

export type Resolve = (value: any) => void;
export type Reject = (reason: unknown) => void;

/** Kinds of operations; each has its own sequence except that local activities share that of activities. */
export const OperationKind = {
  Timer: 0,
  Activity: 1,
  ChildStart: 2,
  ChildCompletion: 3,
  SignalExternal: 4,
  CancelExternal: 5,
  NexusStart: 6,
  NexusCompletion: 7,
} as const;
export type OperationKind = (typeof OperationKind)[keyof typeof OperationKind];

const KINDS = 8;

const KIND_NAMES = [
  'timer',
  'activity',
  'start of child workflow',
  'child workflow',
  'signal to another workflow',
  'cancellation of another workflow',
  'start of Nexus operation',
  'Nexus operation',
];

/** What every pending operation can do with the outcome the core reports. */
export interface PendingOperation {
  readonly resolve: Resolve;
  readonly reject: Reject;
  /** Where it was begun, for operations whose promise the runtime itself watches (stack-traces.ts, W2). */
  readonly site?: Error | undefined;
}

/** All operations of a run that wait, by kind and number. */
export class PendingOperations {
  private readonly byKey = new Map<number, PendingOperation>();
  private sites: Map<number, Error> | undefined = undefined;

  add(kind: OperationKind, seq: number, operation: PendingOperation): void {
    const key = seq * KINDS + kind;
    this.byKey.set(key, operation);
    if (this.sites !== undefined && operation.site === undefined) this.sites.set(key, new Error(''));
  }

  /** From now on it is kept where each operation was begun (stack-traces.ts, W3). */
  recordSites(): void {
    this.sites ??= new Map();
  }

  /** What waits, in the order in which it was begun, with its name for people. */
  *all(): Iterable<PendingOperation & { readonly what: string }> {
    for (const [key, { resolve, reject, site }] of this.byKey) {
      const what = `${KIND_NAMES[key % KINDS]} ${Math.floor(key / KINDS)}`;
      yield { resolve, reject, site: site ?? this.sites?.get(key), what };
    }
  }

  has(kind: OperationKind, seq: number): boolean {
    return this.byKey.has(seq * KINDS + kind);
  }

  /** Removes the operation and returns it; undefined if nothing waits under that number (O1). */
  take(kind: OperationKind, seq: number): PendingOperation | undefined {
    const key = seq * KINDS + kind;
    const operation = this.byKey.get(key);
    if (operation !== undefined) {
      this.byKey.delete(key);
      this.sites?.delete(key);
    }
    return operation;
  }
}
