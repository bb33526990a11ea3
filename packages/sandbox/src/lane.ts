/**
 * One lane: takes batches of activations, runs them in the realms of their bundles, gives completions back.
 * The same code runs on a worker thread (lane-thread.ts) and, for debuggers, on the main thread.
 *
 * Owns    realms by bundle, which runs exist and their workflow types.
 * Leaves  threads, deadlines and replacement to lane-pool.ts, memory to memory-pressure.ts.
 * L1  Exactly one completion for each activation, whatever happens in between.
 * L2  An activation drains before the next begins, in the whole lane.
 * L3  Before an activation runs, the board says which run it is: whoever must end the lane can name it.
 * L4  What a lane that is gone has carried out is carried out again silently: its calls of sinks have been made.
 */
import type { Script } from 'node:vm';
import { LaneBatch, LaneCompletions } from '@perdure/proto/perdure/core/v1/exchange';
import type { RuntimeApi, SinkCallRecord, WorkerRegistration } from '@perdure/workflow/runtime';
import { type ActivityBoard, idleBoard } from './activity-board';
import { type BundleSource, bundleFileName, compileBundle } from './bundle-script';
import { completionMessage } from './completion-message';
import { type InitialFacts, initialFacts } from './initial-facts';
import { type PressureValve, watchHeap } from './memory-pressure';
import { Realm } from './realm';
import { cloneSinkCalls } from './sink-calls';
import { type PositionMapper, positionMapper } from './source-positions';
import type { LaneEnd } from './transport';

/** How runs of a worker are kept apart: one hardened realm for all, or a fresh context for each. */
export type Isolation = 'realm' | 'context';

/** What a lane tells its owner. */
export interface LaneEvents {
  onSinkCalls(calls: readonly SinkCallRecord[]): void;
  onWarning(warning: LaneWarning): void;
  /** After each full garbage collection: the last figures of a lane that dies. */
  onStats?(stats: LaneStats): void;
  /** Answers `RuntimeHost.decidePatch`; the lane waits. Absent: every patch is activated. */
  decidePatch?(worker: number, runId: string, patchId: string, info: string): string;
}

/** Something that went wrong without ending a run. */
export interface LaneWarning {
  readonly code:
    | 'UNHANDLED_REJECTION'
    | 'SINK_ARGUMENTS_NOT_CLONEABLE'
    | 'HEAP_PRESSURE'
    | 'ACTIVATION_ABORTED'
    | 'LANE_LOST';
  readonly message: string;
  readonly lane?: number;
  readonly worker?: number;
  readonly runId?: string;
  readonly workflowType?: string;
}

export interface LaneStats {
  readonly lane: number;
  readonly runs: number;
  readonly activations: number;
  readonly realms: number;
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
  /** Cached runs by workflow type, largest first. */
  readonly runsByType: readonly (readonly [workflowType: string, runs: number])[];
}

interface LoadedBundle {
  readonly script: Script;
  readonly file: string;
  readonly mapPosition: PositionMapper;
  readonly workers: Set<number>;
  /** Isolation "realm": made when the first worker registers. */
  realm: Realm | undefined;
}

interface Worker {
  readonly registration: WorkerRegistration;
  /** For runs that begin from now on. */
  readonly bundle: LoadedBundle;
  readonly isolation: Isolation;
  readonly runs: Map<string, Run>;
}

interface Run {
  readonly workflowType: string;
  /** So many activations that come next have been carried out by another lane (L4). */
  repeats: number;
  /** What it has begun with. */
  readonly bundle: LoadedBundle;
  readonly realm: Realm;
}

const unknownRun: InitialFacts = { workflowType: '' };
/** A batch that takes longer than this gives its completions back in parts. */
const defaultFlushAfterMs = 5;

export class Lane {
  readonly #bundles = new Map<string, LoadedBundle>();
  readonly #workers = new Map<number, Worker>();
  readonly #pressure: PressureValve;
  #end: LaneEnd | undefined;
  #activations = 0;
  #runs = 0;
  readonly #runsByType = new Map<string, number>();
  /** The run whose activation was handled last, for whatever surfaces right after it. */
  #current: { worker: number; runId: string; workflowType: string } | undefined;
  readonly #warnedRuns = new Set<string>();
  /** Told of a run that begins next. */
  #repeats: { worker: number; runId: string; repeats: number } | undefined;
  /** Has rejections reported that nothing handles: when an activation has drained, and before the next begins. */
  flushRejections: (() => void) | undefined;
  /** Holds the run whose activation has drained and is not finished yet. */
  #drained: RuntimeApi | undefined;

  constructor(
    readonly number: number,
    private readonly events: LaneEvents,
    private readonly board: ActivityBoard = idleBoard,
    private readonly runtimeSource?: string,
    private readonly flushAfterMs: number = defaultFlushAfterMs,
  ) {
    this.#pressure = watchHeap(
      () => this.#runs,
      (count) => this.#end?.evict(count) ?? 0,
      (message) => events.onWarning({ code: 'HEAP_PRESSURE', message, lane: number }),
      () => events.onStats?.(this.stats()),
    );
  }

  /** Gives the lane its end of the transport; batches may come from now on. */
  attach(end: LaneEnd): void {
    this.#end = end;
  }

  /**
   * Makes a worker's runs possible on this lane. A worker that is known already gets another bundle: its runs go on
   * with the one that they have begun with, until they are evicted.
   * @throws BundleRefusedError, or what the runtime throws for a bundle of another format
   */
  register(registration: WorkerRegistration, bundle: BundleSource, isolation: Isolation): void {
    let loaded = this.#bundles.get(bundle.hash);
    if (loaded === undefined) {
      loaded = {
        script: compileBundle(bundle),
        file: bundleFileName(bundle),
        mapPosition: positionMapper(bundle),
        workers: new Set(),
        realm: undefined,
      };
    }
    const { worker: number } = registration;
    if (isolation === 'context') {
      // A bundle that no run could load should fail here and not at the first task.
      const trial = this.#newRealm(loaded, false);
      trial.api.register(registration, trial.load(loaded.script));
    } else if (!loaded.workers.has(number)) {
      loaded.realm ??= this.#newRealm(loaded, true);
      loaded.realm.api.register(registration, loaded.realm.load(loaded.script));
    }
    this.#bundles.set(bundle.hash, loaded);
    loaded.workers.add(number);
    const before = this.#workers.get(number);
    const runs = before?.runs ?? new Map<string, Run>();
    this.#workers.set(number, { registration, bundle: loaded, isolation, runs });
    if (before !== undefined) this.#dropUnused(number, before.bundle);
  }

  /** Forgets a worker and its runs; its bundle too, when no other worker uses it. */
  unregister(number: number): void {
    const worker = this.#workers.get(number);
    if (worker === undefined) return;
    this.#workers.delete(number);
    for (const run of worker.runs.values()) this.#count(run, -1);
    const bundles = new Set([worker.bundle, ...[...worker.runs.values()].map(({ bundle }) => bundle)]);
    for (const bundle of bundles) this.#dropUnused(number, bundle);
  }

  /** Forgets that a worker uses a bundle, unless it still does. */
  #dropUnused(number: number, bundle: LoadedBundle): void {
    const worker = this.#workers.get(number);
    if (worker?.bundle === bundle) return;
    for (const run of worker?.runs.values() ?? []) if (run.bundle === bundle) return;
    if (!bundle.workers.delete(number)) return;
    bundle.realm?.api.unregister(number);
    if (bundle.workers.size > 0) return;
    for (const [hash, loaded] of this.#bundles) if (loaded === bundle) this.#bundles.delete(hash);
  }

  /** Handles one LaneBatch and gives its completions to the transport. */
  handleBatch(bytes: Uint8Array): void {
    const items = LaneBatch.decode(bytes).items ?? [];
    let completions: Uint8Array[] = [];
    const last = items.length - 1;
    let flushAt = last > 0 ? performance.now() + this.flushAfterMs : 0;
    for (let i = 0; i <= last; i++) {
      const { worker = 0, runId = '', activation, repeats = 0 } = items[i]!;
      if (repeats > 0) {
        this.#repeats = { worker, runId, repeats };
        continue;
      }
      if (activation === undefined) {
        this.#evict(worker, runId);
        continue;
      }
      const completion = this.#activate(worker, runId, activation);
      // The runtime reuses the completion's memory in the next begin; encoding copies it.
      completions.push(LaneCompletions.encode({ items: [{ worker, completion }] }).finish());
      this.#pressure.check();
      if (i < last && performance.now() > flushAt) {
        this.#flush(completions);
        completions = [];
        flushAt = performance.now() + this.flushAfterMs;
      }
    }
    if (completions.length > 0) this.#flush(completions);
  }

  /**
   * Reports a promise that was rejected without a handler.
   * @param certain true: the caller knows that the promise was made in a realm
   * @returns false if it is none of this lane's
   */
  handleRejection(reason: unknown, promise: object, certain = false): boolean {
    if (!certain && !this.#owns(promise)) return false;
    if (this.#drained !== undefined) {
      this.#drained.unhandledRejection(reason);
      return true;
    }
    const run = this.#current;
    const key = run === undefined ? '' : `${run.worker}/${run.runId}`;
    if (this.#warnedRuns.has(key)) return true;
    if (this.#warnedRuns.size > 1000) this.#warnedRuns.clear();
    this.#warnedRuns.add(key);
    const where = run === undefined ? '' : ` in workflow ${run.workflowType} (run ${run.runId})`;
    this.events.onWarning({
      code: 'UNHANDLED_REJECTION',
      message: `a promise was rejected and nothing handles it${where}: ${describe(reason)}`,
      lane: this.number,
      ...run,
    });
    return true;
  }

  stats(): LaneStats {
    let realms = 0;
    for (const { realm } of this.#bundles.values()) if (realm !== undefined) realms++;
    return {
      lane: this.number,
      runs: this.#runs,
      activations: this.#activations,
      realms,
      ...this.#pressure.heap(),
      runsByType: [...this.#runsByType].sort((a, b) => b[1] - a[1]),
    };
  }

  close(): void {
    this.#end?.close();
    this.#end = undefined;
  }

  #owns(promise: object): boolean {
    for (const { realm } of this.#bundles.values()) if (realm?.owns(promise)) return true;
    for (const { isolation, runs } of this.#workers.values()) {
      if (isolation === 'context')
        for (const { realm } of runs.values()) if (realm.owns(promise)) return true;
    }
    return false;
  }

  #newRealm(bundle: LoadedBundle, freeze: boolean): Realm {
    return new Realm({
      bundleFile: bundle.file,
      mapPosition: bundle.mapPosition,
      freeze,
      ...(this.events.decidePatch && { decidePatch: this.events.decidePatch }),
      runtimeSource: this.runtimeSource,
    });
  }

  /** Encoded messages that follow each other are the encoding of them merged: one LaneCompletions. */
  #flush(encoded: Uint8Array[]): void {
    this.#end?.complete(encoded.length === 1 ? encoded[0]! : Buffer.concat(encoded));
  }

  #evict(number: number, runId: string): void {
    const worker = this.#workers.get(number);
    const run = worker?.runs.get(runId);
    if (worker === undefined || run === undefined) return;
    worker.runs.delete(runId);
    this.#count(run, -1);
    try {
      run.realm.api.evict(number, runId);
    } catch (error) {
      this.events.onWarning({
        code: 'ACTIVATION_ABORTED',
        message: `evicting run ${runId} failed: ${describe(error)}`,
        lane: this.number,
        worker: number,
        runId,
      });
    }
    if (run.bundle !== worker.bundle) this.#dropUnused(number, run.bundle);
  }

  /** L1 @returns the encoded WorkflowActivationCompletion */
  #activate(number: number, runId: string, activation: Uint8Array): Uint8Array {
    this.#activations++;
    const worker = this.#workers.get(number);
    if (worker === undefined) return failure(runId, `lane ${this.number} has no worker ${number}`);
    let run = worker.runs.get(runId);
    if (run === undefined) {
      const facts = initialFacts(activation) ?? unknownRun;
      try {
        run = {
          workflowType: facts.workflowType,
          repeats: this.#takeRepeats(number, runId),
          bundle: worker.bundle,
          realm: this.#realmForRun(worker),
        };
      } catch (error) {
        return failure(runId, `no context could be made for the run: ${describe(error)}`);
      }
      worker.runs.set(runId, run);
      this.#count(run, 1);
    }
    const { realm, workflowType } = run;
    const silent = run.repeats > 0;
    if (silent) run.repeats--;
    this.#current = { worker: number, runId, workflowType };
    this.board.begin(number, runId, workflowType); // L3
    try {
      return this.#drive(realm, realm.api, number, runId, activation, silent);
    } finally {
      this.flushRejections?.();
      this.board.end();
    }
  }

  #takeRepeats(worker: number, runId: string): number {
    const told = this.#repeats;
    if (told?.worker !== worker || told.runId !== runId) return 0;
    this.#repeats = undefined;
    return told.repeats;
  }

  #wantsReplays({ worker, sink, fn }: SinkCallRecord): boolean {
    return this.#workers.get(worker)?.registration.replayingSinks.includes(`${sink}.${fn}`) === true;
  }

  #count({ workflowType }: Run, change: 1 | -1): void {
    this.#runs += change;
    const count = (this.#runsByType.get(workflowType) ?? 0) + change;
    if (count === 0) this.#runsByType.delete(workflowType);
    else this.#runsByType.set(workflowType, count);
  }

  #realmForRun(worker: Worker): Realm {
    if (worker.isolation === 'realm') return worker.bundle.realm!;
    const realm = this.#newRealm(worker.bundle, false);
    realm.api.register(worker.registration, realm.load(worker.bundle.script));
    return realm;
  }

  /** L2 */
  #drive(
    realm: Realm,
    api: RuntimeApi,
    worker: number,
    runId: string,
    activation: Uint8Array,
    silent: boolean,
  ): Uint8Array {
    let completion: Uint8Array;
    try {
      api.begin(worker, realm.bytesFrom(activation));
      realm.drain();
      while (api.step()) realm.drain();
      if (this.flushRejections !== undefined) {
        this.#drained = api;
        this.flushRejections();
        this.#drained = undefined;
      }
      completion = api.finish();
    } catch (error) {
      this.#drained = undefined;
      const message = `the activation could not be finished: ${describe(error)}`;
      this.events.onWarning({ code: 'ACTIVATION_ABORTED', message, lane: this.number, ...this.#current });
      try {
        completion = api.abort(message);
      } catch {
        completion = failure(runId, message);
      }
    }
    this.#forwardSinkCalls(api, silent);
    return completion;
  }

  /** L1: a run with a context of its own may have broken anything in it, but its completion is made already. */
  #forwardSinkCalls(api: RuntimeApi, silent: boolean): void {
    const warn = (code: LaneWarning['code']) => (message: string) =>
      this.events.onWarning({ code, message, lane: this.number, ...this.#current });
    try {
      let calls = api.takeSinkCalls();
      if (silent) calls = calls?.filter((call) => this.#wantsReplays(call)).map(asReplayed); // L4
      if (calls === undefined || calls.length === 0) return;
      this.events.onSinkCalls(cloneSinkCalls(calls, warn('SINK_ARGUMENTS_NOT_CLONEABLE')));
    } catch (error) {
      warn('ACTIVATION_ABORTED')(`calls of sinks were lost: ${describe(error)}`);
    }
  }
}

/** A call of a sink that is made again, as one that a replay makes. */
function asReplayed(call: SinkCallRecord): SinkCallRecord {
  const info = JSON.parse(call.info);
  info.unsafe = { ...info.unsafe, isReplaying: true, isReplayingHistoryEvents: true };
  return { ...call, info: JSON.stringify(info) };
}

/** A completion that fails the task, for when no runtime can make one. */
function failure(runId: string, message: string): Uint8Array {
  return completionMessage()
    .encode({
      runId,
      failed: {
        failure: {
          message,
          source: 'perdure',
          applicationFailureInfo: { type: 'SandboxError', nonRetryable: false },
        },
      },
    })
    .finish();
}

/** Text of a thrown value that may be anything at all. */
function describe(error: unknown): string {
  try {
    if (typeof error === 'object' && error !== null) {
      const { stack, message } = error as { stack?: unknown; message?: unknown };
      if (typeof stack === 'string' && stack !== '') return stack;
      if (typeof message === 'string') return message;
    }
    return String(error);
  } catch {
    return 'a value that cannot be shown';
  }
}
