/**
 * The border between the deterministic runtime and whatever hosts it (a hardened realm, a test).
 *
 * H1  Only strings, numbers, booleans and bytes cross, except the two function-free records of this file.
 * H2  The host drains all microtasks between two calls of a RuntimeApi method; the runtime never waits.
 * H3  One activation at a time: begin, then drain and step until step returns false, then finish.
 * H4  Bytes given to the runtime belong to the host again as soon as `begin` returns: the runtime copies what it
 *     keeps. Bytes that the runtime gives belong to the host until the next `begin`.
 * H5  The runtime's script (`lib/realm.js`) needs no name beyond those of the language. It reads no global when it
 *     is evaluated, so the realm may be tamed before or after; what it exports is left for the host to harden.
 */
import type { LogLevel } from '@perdure/common';
import type { WorkflowBundle } from '@perdure/common/bundle';

/** What the runtime needs from its host. Every function is called with and returns primitives only. */
export interface RuntimeHost {
  /** Unseeded random number in [0, 1), for `unsafe.random` in queries only. */
  entropy(): number;
  /** Wall clock in epoch milliseconds, for `unsafe.now()` only. */
  wallClockMs(): number;
  /** A fresh global object for one run; its prototype holds what all runs may see. */
  newGlobal(): object;
  /** Async context: runs `fn` with `store` current in it and everything that it awaits or schedules. */
  runInScope<T>(store: unknown, fn: () => T): T;
  /** The store of the innermost runInScope that surrounds the running code, if any. */
  currentScope(): unknown;
  /** Text of a source file by the path that stacks show, if the bundle's source map has it. */
  sourceText?(file: string): string | undefined;
  /**
   * Asks the worker whether the first `patched(patchId)` of a run activates the patch; may block. Called for workers
   * with `decidesPatches` only.
   * @param info JSON of the run's WorkflowInfo
   * @returns "yes", "no", or the text of an error after "error: "
   */
  decidePatch?(worker: number, runId: string, patchId: string, info: string): string;
  /** Makes exports of modules that runs share immutable, with all they lead to. Absent: nothing is frozen. */
  harden?(value: object): void;
  /** Modules of the host that chunks may require beside the runtime's own, by specifier ("assert", "url", "util"). */
  readonly hostModules?: Readonly<Record<string, object>>;
}

/** Registration of one worker whose runs this runtime will hold. */
export interface WorkerRegistration {
  readonly worker: number;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly identity: string;
  readonly buildId: string;
  /** sinkName.fnName of sinks that are also called during replay. */
  readonly replayingSinks: readonly string[];
  readonly showStackTraceSources: boolean;
  /** Activities that the worker runs, for a clear error where a local one is not there. Absent: not known. */
  readonly activityNames?: readonly string[];
  /** Least severe level that the worker's logger writes: lines below it are not made. Absent: all are. */
  readonly logLevel?: LogLevel;
  /** True: each command is reported by a call `issued(kind, type, stack)` of the sink `__perdure_commands`. */
  readonly traceCommands?: boolean;
  /** Whether the host's `decidePatch` is asked about patches that history does not know. Absent: they are active. */
  readonly decidesPatches?: boolean;
  /** Error class names that fail the workflow instead of its task, by workflow type; key "*" for all. */
  readonly workflowFailureErrorTypes: Readonly<Record<string, readonly string[]>>;
}

/** One call of a sink (log lines too, sink "__temporal_logger"), to be made by the main thread. */
export interface SinkCallRecord {
  readonly worker: number;
  readonly runId: string;
  readonly sink: string;
  readonly fn: string;
  /** Plain data as far as the user keeps to it; the host clones it before it leaves the lane. */
  readonly args: readonly unknown[];
  /** JSON of the run's WorkflowInfo (dates as epoch milliseconds). */
  readonly info: string;
}

/** What the runtime offers to its host. */
export interface RuntimeApi {
  /** Adds a worker with the bundle its runs use. @throws if the bundle has another format */
  register(registration: WorkerRegistration, bundle: WorkflowBundle): void;
  /** Forgets a worker and all its runs. */
  unregister(worker: number): void;
  /**
   * Decodes one WorkflowActivation and applies its first jobs; creates the run if it starts.
   * Never throws for what user code or the activation does: that ends in the completion.
   */
  begin(worker: number, activation: Uint8Array): void;
  /** After a drain: applies what is left, re-checks conditions. @returns true while another drain is needed */
  step(): boolean;
  /**
   * After the last drain, before `finish`: a promise of the run was rejected and nothing handles it. Fails the task.
   * A host that cannot tell leaves it out.
   */
  unhandledRejection(reason: unknown): void;
  /** @returns the encoded WorkflowActivationCompletion, in memory that the next begin may reuse */
  finish(): Uint8Array;
  /** Drops the current activation after a host-side error and makes a failed completion of it. */
  abort(message: string): Uint8Array;
  /** Calls of sinks that the last finished activation made, or undefined. */
  takeSinkCalls(): readonly SinkCallRecord[] | undefined;
  /** Drops a run's instance. */
  evict(worker: number, runId: string): void;
  /** Runs that the runtime holds, of all workers. */
  readonly runCount: number;
}

/**
 * Functions that become, or stand behind, globals of every run. They work on the run that is current.
 * Error stacks need nothing here: the host's realm maps them to the user's sources when `stack` is read.
 */
export interface RuntimeGlobals {
  /** Workflow time in epoch milliseconds, for Date and Intl; 0 outside a run. */
  now(): number;
  /** Seeded random number in [0, 1), for Math.random. */
  random(): number;
  readonly setTimeout: Function;
  readonly clearTimeout: Function;
  readonly console: object;
  /** The error that WeakRef and FinalizationRegistry throw; without it a TypeError. */
  determinismViolation?(message: string): unknown;
}

/** What the runtime's script (`lib/realm.js`) returns when it is called with its host. */
export interface RuntimeParts {
  readonly api: RuntimeApi;
  /** Host modules that the runtime itself provides, by specifier. */
  readonly modules: Readonly<Record<string, object>>;
  readonly globals: RuntimeGlobals;
}
