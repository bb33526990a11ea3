/** Messages between the pool (main thread) and a lane thread; activations do not travel here. */
import type { SinkCallRecord, WorkerRegistration } from '@perdure/workflow/runtime';
import type { BundleSource } from './bundle-script';
import type { BundleCoverage } from './coverage';
import type { Isolation, LaneStats, LaneWarning } from './lane';

/** What a lane thread gets when it starts. */
export interface LaneStart {
  readonly lane: number;
  readonly transportModule: string;
  readonly transportData: unknown;
  /** Absent where others keep it. */
  readonly board: SharedArrayBuffer | undefined;
  readonly runtimeSource: string | undefined;
  /** Whether the lane counts which workflow code runs. */
  readonly coverage: boolean;
  /** Megabytes of heap, for a lane in a process. */
  readonly heapMb?: number;
  /** True: each completion is given back on its own, however short its activation was. */
  readonly answersEach?: boolean;
}

/** The first message that a lane's process gets. */
export type LaneProcessStart = Pick<LaneStart, 'lane' | 'runtimeSource' | 'coverage'> & {
  readonly heapMb: number;
};

/** Everything the lane needs for the runs of one worker. */
export interface RegistrationRequest {
  readonly registration: WorkerRegistration;
  readonly bundle: BundleSource;
  readonly isolation: Isolation;
}

export type ToLane =
  | ({ readonly kind: 'register'; readonly id: number } & RegistrationRequest)
  | { readonly kind: 'unregister'; readonly worker: number }
  | { readonly kind: 'stats'; readonly id: number }
  | { readonly kind: 'coverage'; readonly id: number }
  | { readonly kind: 'close' };

/** An error that has crossed a thread: structured cloning keeps no classes and no codes. */
export interface PortableError {
  readonly message: string;
  readonly stack: string;
  readonly code: string | undefined;
  readonly hint: string | undefined;
}

export type FromLane =
  /** `thread`: see ownThread(). */
  | { readonly kind: 'ready'; readonly thread: string | undefined }
  | { readonly kind: 'startFailed'; readonly error: PortableError }
  | { readonly kind: 'registered'; readonly id: number; readonly error?: PortableError }
  | { readonly kind: 'stats'; readonly id: number; readonly stats: LaneStats }
  | { readonly kind: 'coverage'; readonly id: number; readonly bundles: readonly BundleCoverage[] }
  | { readonly kind: 'sinkCalls'; readonly calls: readonly SinkCallRecord[] }
  | { readonly kind: 'decidePatch'; readonly request: PatchRequest; readonly answer: SharedArrayBuffer }
  | { readonly kind: 'warning'; readonly warning: LaneWarning }
  | { readonly kind: 'spawned'; readonly pid: number }
  | { readonly kind: 'ended'; readonly reason: 'heap' | 'crash'; readonly detail: string };

/** Between a lane's process and its relay: no memory can be shared, so answers are messages too. */
export type FromLaneProcess =
  | Exclude<FromLane, { readonly kind: 'decidePatch' | 'spawned' }>
  | { readonly kind: 'decidePatch'; readonly request: PatchRequest; readonly id: number };
export type ToLaneProcess =
  | ToLane
  | { readonly kind: 'patchDecision'; readonly id: number; readonly text: string };

/** A run asks whether a patch is to be activated. */
export interface PatchRequest {
  readonly worker: number;
  readonly runId: string;
  readonly patchId: string;
  /** JSON of the run's WorkflowInfo. */
  readonly info: string;
}

/** @param error anything that was thrown */
export function portable(error: unknown): PortableError {
  const { message, stack, code, hint } = (error ?? {}) as Record<string, unknown>;
  return {
    message: typeof message === 'string' ? message : String(error),
    stack: typeof stack === 'string' ? stack : '',
    code: typeof code === 'string' ? code : undefined,
    hint: typeof hint === 'string' ? hint : undefined,
  };
}
