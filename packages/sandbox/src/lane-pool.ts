/**
 * The lanes of a process, seen from the main thread: starts them, watches them, replaces them.
 *
 * Owns    threads, registrations (so that a new lane can be told all of them), deadlines, heap limits.
 * Leaves  which run goes to which lane to the hub or host, running activations to lane.ts.
 * Q1  A lane's number is never used again. A replacement is announced once it knows every registered worker.
 * Q2  Watching costs a lane nothing but two writes to shared memory; its deadline is kept by a timer here.
 * Q3  No lane and no timer keeps the process from exiting.
 * Q4  Past its deadline a lane is ended if it has had the processor for at least half of it. One that has not is given
 *     more time, up to five deadlines: a machine that is too busy is not the fault of the run that waits for it.
 */
import { AsyncResource } from 'node:async_hooks';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { SinkCallRecord, WorkerRegistration } from '@perdure/workflow/runtime';
import { BoardReader, type BoardState } from './activity-board';
import { giveAnswer } from './blocking-answer';
import { type BundleSource, compileBundle } from './bundle-script';
import type { BundleCoverage } from './coverage';
import {
  BundleRefusedError,
  LaneLostError,
  LaneStartError,
  PoolClosedError,
  SandboxOptionsError,
} from './errors';
import { type Isolation, Lane, type LaneStats, type LaneWarning } from './lane';
import type {
  FromLane,
  LaneStart,
  PatchRequest,
  PortableError,
  RegistrationRequest,
  ToLane,
} from './lane-protocol';
import { loadTransport } from './load-transport';
import { heapLimits } from './memory-pressure';
import { cpuMsOf } from './thread-clock';

/** Why a lane is gone, and whose fault it is; to be told to the hub (perdure.core.v1.LaneLost). */
export interface LaneLostReport {
  readonly lane: number;
  readonly reason: 'deadline' | 'heap' | 'crash';
  /** The run whose activation never ended, or was running when the memory ran out or the thread died. */
  readonly guilty?: GuiltyRun;
  /** Text for the tasks of the other runs. */
  readonly message: string;
}

export interface GuiltyRun extends BoardState {
  /** Text for the failure of the guilty run's task. */
  readonly message: string;
  readonly hint: string;
}

/** A lane's share of the transport's data, see LanePoolOptions.transportData. */
export interface TransportData {
  readonly data: unknown;
  /** Ports and the like that move to the thread. */
  readonly transfer?: readonly any[];
}

export interface LanePoolOptions {
  /** Threads. Default 1. */
  readonly lanes?: number;
  /** Absolute path of the module that exports `laneTransport`; loaded on each lane's thread. */
  readonly transportModule: string;
  /** Called for each new lane; the result arrives as third argument of `laneTransport.open`. */
  readonly transportData?: (lane: number) => TransportData;
  /**
   * Limit of a lane's heap in megabytes (2^20 bytes). Default: a quarter of the memory that the process may use, shared
   * by the lanes, 256 to 2048 for each.
   */
  readonly heapMb?: number;
  /**
   * Milliseconds an activation may run before its lane is ended. Default 2000; 0 or Infinity: no deadline. On Linux,
   * one that the machine gave less than half of that time to run gets up to five times as long.
   */
  readonly activationDeadlineMs?: number;
  /** Default for workers that do not say. Default "realm". */
  readonly isolation?: Isolation;
  /** True: one lane on the calling thread, for debuggers; no deadline, no heap limit, no isolation from the host. */
  readonly inline?: boolean;
  /**
   * True: each lane is a process of its own, for code that one does not trust: then neither one huge allocation nor
   * anything else that ends an isolate ends this process. Costs a process a lane, and two pipes on the way of each
   * batch. Default false.
   */
  readonly processes?: boolean;
  /** True: lanes count which workflow code runs, for `takeCoverage`. That slows it down. Default false. */
  readonly coverage?: boolean;
  /** Calls of sinks; their arguments are copies. */
  readonly onSinkCalls?: (calls: readonly SinkCallRecord[]) => void;
  /** A lane is gone. Called before its replacement is ready. */
  readonly onLaneLost?: (report: LaneLostReport) => void;
  /** The set of usable lanes: when `create` is done, when a lane is gone, when a replacement is ready. */
  readonly onLanesChanged?: (lanes: readonly number[]) => void;
  readonly onWarning?: (warning: LaneWarning) => void;
  /**
   * A run of a worker with `decidesPatches` asks; its lane waits. What it throws is thrown in the workflow. Default:
   * every patch is activated.
   */
  readonly onPatch?: (request: PatchRequest) => boolean;
  /** Text of the runtime's script, instead of that of `@perdure/workflow`. For tests. */
  readonly runtimeSource?: string;
}

type Resolved = Required<Omit<LanePoolOptions, 'transportData' | 'runtimeSource'>> &
  Pick<LanePoolOptions, 'transportData' | 'runtimeSource'>;

const nothing = (): void => {};

/** A quarter of what the process may use, shared by the lanes. */
function defaultHeapMb(lanes: number): number {
  const memoryMb = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 2 ** 20;
  return Math.min(2048, Math.max(256, Math.floor(memoryMb / 4 / Math.max(1, lanes))));
}

/** @throws SandboxOptionsError that names every option that is wrong */
export function resolveLanePoolOptions(options: LanePoolOptions): Resolved {
  const {
    lanes = 1,
    transportModule,
    transportData,
    heapMb = defaultHeapMb(lanes),
    activationDeadlineMs = 2000,
    isolation = 'realm',
    inline = false,
    processes = false,
    coverage = false,
    onSinkCalls = nothing,
    onLaneLost = nothing,
    onLanesChanged = nothing,
    onWarning = nothing,
    onPatch = () => true,
    runtimeSource,
  } = options;
  const wrong: string[] = [];
  if (!Number.isInteger(lanes) || lanes < 1) wrong.push(`lanes: a whole number from 1, not ${String(lanes)}`);
  if (typeof transportModule !== 'string' || transportModule === '') {
    wrong.push(`transportModule: path of a module, not ${String(transportModule)}`);
  }
  if (!(heapMb >= 16)) wrong.push(`heapMb: megabytes from 16, not ${String(heapMb)}`);
  if (!(activationDeadlineMs >= 0)) {
    wrong.push(`activationDeadlineMs: milliseconds from 0, not ${String(activationDeadlineMs)}`);
  }
  if (isolation !== 'realm' && isolation !== 'context') {
    wrong.push(`isolation: "realm" or "context", not ${String(isolation)}`);
  }
  if (wrong.length > 0) {
    throw new SandboxOptionsError(`invalid options of the lane pool: ${wrong.join('; ')}`, {
      hint: `lanes is usually 1 to ${availableParallelism()} on this machine`,
    });
  }
  return {
    lanes,
    transportModule,
    transportData,
    heapMb,
    activationDeadlineMs: activationDeadlineMs === 0 ? Number.POSITIVE_INFINITY : activationDeadlineMs,
    isolation,
    inline,
    processes,
    coverage,
    onSinkCalls,
    onLaneLost,
    onLanesChanged,
    onWarning,
    onPatch,
    runtimeSource,
  };
}

/** A lane as the pool sees it. */
interface LaneHandle {
  readonly number: number;
  /** True once it knows every registered worker. */
  announced: boolean;
  register(request: RegistrationRequest): Promise<void>;
  unregister(worker: number): void;
  stats(): Promise<LaneStats | undefined>;
  takeCoverage(): Promise<readonly BundleCoverage[]>;
  close(): Promise<void>;
}

/**
 * Numbers of lanes are unique in the process, whatever the number of pools (Q1): the native side knows lanes by them.
 * The first one is random, because a process may hold several copies of this module (duplicate installs, the module
 * registries of test runners) and nothing else that is common to them.
 */
let nextLane = 1 + 4096 * Math.floor(Math.random() * 2 ** 18);

export class LanePool {
  readonly #options: Resolved;
  readonly #lanes = new Map<number, LaneHandle>();
  readonly #registrations = new Map<number, RegistrationRequest>();
  #watchdog: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: Resolved) {
    this.#options = options;
  }

  /**
   * Starts the lanes.
   * @throws SandboxOptionsError, LaneStartError
   */
  static async create(options: LanePoolOptions): Promise<LanePool> {
    const pool = new LanePool(resolveLanePoolOptions(options));
    const { inline, lanes, activationDeadlineMs } = pool.#options;
    try {
      await Promise.all(Array.from({ length: inline ? 1 : lanes }, () => pool.#start()));
    } catch (error) {
      await pool.close();
      throw error;
    }
    if (!inline && Number.isFinite(activationDeadlineMs)) pool.#watch(activationDeadlineMs);
    pool.#options.onLanesChanged(pool.laneIds);
    return pool;
  }

  /** Numbers of the lanes that can be given work. */
  get laneIds(): readonly number[] {
    return [...this.#lanes.values()].filter((lane) => lane.announced).map((lane) => lane.number);
  }

  /** Runs that lanes work on at this moment. */
  get running(): readonly BoardState[] {
    const busy = [...this.#lanes.values()].map((lane) =>
      lane instanceof ThreadLane ? lane.board.running() : undefined,
    );
    return busy.filter((run) => run !== undefined);
  }

  /**
   * Makes a worker's workflows runnable on every lane.
   * @throws BundleRefusedError if the bundle cannot be used; then no lane knows the worker
   */
  async register(
    registration: WorkerRegistration,
    bundle: BundleSource,
    isolation: Isolation = this.#options.isolation,
  ): Promise<void> {
    if (this.#closed) throw new PoolClosedError('the lane pool is closed');
    if (this.#registrations.has(registration.worker)) {
      throw new SandboxOptionsError(`worker ${registration.worker} is registered already`);
    }
    const request: RegistrationRequest = { registration, bundle, isolation };
    // From here on a replacement gets it too: a lane that is lost meanwhile need not know it.
    this.#registrations.set(registration.worker, request);
    const results = await this.#tellAll(request);
    const refused = results.find(wasRefused);
    if (refused === undefined) return;
    this.unregister(registration.worker);
    throw refused.reason;
  }

  /**
   * Gives a worker another bundle: runs that begin or are replayed from now on get it. Runs in memory go on with the
   * one they have begun with, so whoever wants them on the new one evicts them afterwards.
   * @throws BundleRefusedError if the bundle cannot be used; then the worker keeps the one it has
   */
  async replaceBundle(worker: number, bundle: BundleSource): Promise<void> {
    const before = this.#registrations.get(worker);
    if (before === undefined) throw new SandboxOptionsError(`worker ${worker} is not registered`);
    const request: RegistrationRequest = { ...before, bundle };
    this.#registrations.set(worker, request);
    const refused = (await this.#tellAll(request)).find(wasRefused);
    if (refused === undefined || this.#registrations.get(worker) !== request) return;
    this.#registrations.set(worker, before);
    await this.#tellAll(before);
    throw refused.reason;
  }

  #tellAll(request: RegistrationRequest): Promise<PromiseSettledResult<void>[]> {
    return Promise.allSettled([...this.#lanes.values()].map((lane) => lane.register(request)));
  }

  /** Forgets a worker and all its runs. */
  unregister(worker: number): void {
    if (!this.#registrations.delete(worker)) return;
    for (const lane of this.#lanes.values()) lane.unregister(worker);
  }

  /** Figures of all lanes that answer. */
  async stats(): Promise<readonly LaneStats[]> {
    const all = await Promise.all([...this.#lanes.values()].map((lane) => lane.stats()));
    return all.filter((stats) => stats !== undefined);
  }

  /** What has run of each bundle on each lane since the last call; empty without the option `coverage`. */
  async takeCoverage(): Promise<readonly BundleCoverage[]> {
    return (await Promise.all([...this.#lanes.values()].map((lane) => lane.takeCoverage()))).flat();
  }

  /** Ends all lanes. Work in progress is lost: shut down the workers before. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watchdog);
    const lanes = [...this.#lanes.values()];
    this.#lanes.clear();
    await Promise.all(lanes.map((lane) => lane.close()));
  }

  async #start(): Promise<void> {
    const number = nextLane++;
    const lane: LaneHandle = this.#options.inline
      ? await InlineLane.start(number, this.#options)
      : await ThreadLane.start(number, this.#options, (lost, reason, guilty, detail) =>
          this.#lost(lost, reason, guilty, detail),
        );
    if (this.#closed) {
      await lane.close();
      return;
    }
    this.#lanes.set(number, lane);
    // Q1: a registration that is added while we wait has reached the lane by itself, as it is in #lanes now.
    await Promise.all([...this.#registrations.values()].map((request) => lane.register(request)));
    lane.announced = this.#lanes.has(number);
  }

  /** Q2 */
  #watch(deadlineMs: number): void {
    const periodMs = Math.min(250, Math.max(10, deadlineMs / 8));
    const seen = new Map<number, { counter: number; stuckMs: number; cpuMs: number | undefined }>();
    let before = performance.now();
    this.#watchdog = setInterval(() => {
      const now = performance.now();
      // A main thread that was busy, or a process that slept, proves little about the lane.
      const stepMs = Math.min(now - before, 2 * periodMs);
      before = now;
      for (const lane of this.#lanes.values()) {
        if (!(lane instanceof ThreadLane)) continue;
        const counter = lane.board.counter();
        const last = seen.get(lane.number);
        if ((counter & 1) === 0 || last === undefined || last.counter !== counter) {
          const cpuMs = (counter & 1) === 0 ? undefined : cpuMsOf(lane.thread);
          seen.set(lane.number, { counter, stuckMs: 0, cpuMs });
          continue;
        }
        last.stuckMs += stepMs;
        if (last.stuckMs < deadlineMs) continue;
        const cpuMs = cpuMsOf(lane.thread);
        const ranMs = last.cpuMs === undefined || cpuMs === undefined ? deadlineMs : cpuMs - last.cpuMs;
        if (ranMs < deadlineMs / 2 && last.stuckMs < 5 * deadlineMs) continue; // Q4
        seen.delete(lane.number);
        void lane.end('deadline');
      }
    }, periodMs);
    this.#watchdog.unref(); // Q3
  }

  #lost(
    lane: ThreadLane,
    reason: LaneLostReport['reason'],
    running: BoardState | undefined,
    detail: string,
  ): void {
    if (this.#closed || !this.#lanes.delete(lane.number)) return;
    const { activationDeadlineMs, heapMb } = this.#options;
    const what = {
      deadline: `did not yield within ${activationDeadlineMs} ms`,
      heap: `was running when its lane used up its ${heapMb} MB of heap`,
      crash: `was running when its lane crashed (${detail})`,
    }[reason];
    const hint = {
      deadline:
        'look for a loop without await, a regular expression that backtracks, or work that belongs in an activity',
      heap: 'keep large data out of workflows, or allow more heap per lane',
      crash: 'report it with the message of the crash',
    }[reason];
    const guilty: GuiltyRun | undefined =
      running === undefined
        ? undefined
        : {
            ...running,
            message: `workflow ${running.workflowType || '(unknown type)'} (run ${running.runId}) ${what}; the lane was ended`,
            hint,
          };
    const message =
      guilty === undefined
        ? `the lane of this run was lost (${reason === 'heap' ? 'out of memory' : detail})`
        : `the lane of this run was ended because of another run: ${guilty.message}`;
    const types = lane.largestTypes();
    this.#options.onWarning({
      code: 'LANE_LOST',
      message:
        `lane ${lane.number} was lost: ${guilty?.message ?? message}` +
        (types === '' ? '' : `; largest workflow types there: ${types}`),
      lane: lane.number,
      ...(running !== undefined && running),
    });
    this.#options.onLaneLost({ lane: lane.number, reason, guilty, message });
    this.#options.onLanesChanged(this.laneIds);
    void this.#replace(0);
  }

  async #replace(attempt: number): Promise<void> {
    if (this.#closed) return;
    try {
      await this.#start();
      if (!this.#closed) this.#options.onLanesChanged(this.laneIds);
    } catch (error) {
      if (this.#closed) return;
      this.#options.onWarning({
        code: 'LANE_LOST',
        message: `a lane could not be replaced: ${(error as Error).message}; it is tried again`,
      });
      setTimeout(() => void this.#replace(attempt + 1), Math.min(10_000, 100 * 2 ** attempt)).unref();
    }
  }
}

/** By a lane that lives. */
function wasRefused(result: PromiseSettledResult<void>): result is PromiseRejectedResult {
  return result.status === 'rejected' && !(result.reason instanceof LaneLostError);
}

function revive(error: PortableError): Error {
  const options = { hint: error.hint, cause: error };
  if (error.code === 'SANDBOX_BUNDLE_REFUSED') return new BundleRefusedError(error.message, options);
  return new BundleRefusedError(`the bundle could not be loaded: ${error.message}`, options);
}

/** A lane on its own thread, or the thread that stands for a lane in a process of its own. */
class ThreadLane implements LaneHandle {
  announced = false;
  readonly board = new BoardReader();
  readonly #worker: Worker;
  readonly #pending = new Map<number, { resolve(value: any): void; reject(error: Error): void }>();
  #nextId = 1;
  #ending: LaneLostReport['reason'] | 'closed' | undefined;
  #exited = false;
  #lastStats: LaneStats | undefined;
  /** Where its processor time is read (Q4). */
  thread: string | undefined;
  /** Of the process that the thread stands for, if it does. */
  #pid: number | undefined;

  private constructor(
    readonly number: number,
    private readonly options: Resolved,
    private readonly onLost: (
      lane: ThreadLane,
      reason: LaneLostReport['reason'],
      running: BoardState | undefined,
      detail: string,
    ) => void,
    onReady: (error?: Error) => void,
  ) {
    const { data, transfer = [] } = options.transportData?.(number) ?? { data: undefined };
    const start: LaneStart = {
      lane: number,
      transportModule: options.transportModule,
      transportData: data,
      board: this.board.memory,
      runtimeSource: options.runtimeSource,
      coverage: options.coverage,
      heapMb: options.heapMb,
    };
    const { processes, heapMb } = options;
    const resourceLimits = processes ? {} : heapLimits(heapMb);
    this.#worker = new Worker(join(__dirname, processes ? 'lane-relay.js' : 'lane-thread.js'), {
      name: `perdure lane ${number}`,
      workerData: start,
      transferList: transfer as any[],
      resourceLimits,
      // Loaders and hooks that the program was started with are not for lanes.
      execArgv: [],
      stdin: false,
    });
    let detail = 'the thread ended by itself';
    this.#worker.on('error', (error: Error & { code?: string }) => {
      detail = error?.message ?? String(error);
      this.#ending ??= error?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'heap' : 'crash';
    });
    this.#worker.on('exit', () => {
      this.#exited = true;
      onReady(new LaneStartError(`lane ${number} ended while it started: ${detail}`));
      for (const { reject } of this.#pending.values())
        reject(new LaneLostError(`lane ${number} was lost: ${detail}`));
      this.#pending.clear();
      if (this.#ending !== 'closed') this.onLost(this, this.#ending ?? 'crash', this.board.running(), detail);
    });
    this.#worker.on('message', (message: FromLane) => {
      switch (message.kind) {
        case 'ready':
          this.thread = message.thread;
          // Q3, and only now: who waits for the lane to start keeps the process alive.
          if (this.#pending.size === 0) this.#worker.unref();
          return onReady();
        case 'startFailed':
          this.#ending = 'closed';
          return onReady(
            new LaneStartError(`lane ${number} could not start: ${message.error.message}`, {
              hint: message.error.hint ?? 'look at the cause',
              cause: message.error,
            }),
          );
        case 'registered':
          return this.#settle(
            message.id,
            message.error === undefined ? undefined : revive(message.error),
            undefined,
          );
        case 'stats':
          this.#lastStats = message.stats;
          return message.id === 0 ? undefined : this.#settle(message.id, undefined, message.stats);
        case 'coverage':
          return this.#settle(message.id, undefined, message.bundles);
        case 'sinkCalls':
          return this.options.onSinkCalls(message.calls);
        case 'decidePatch':
          return giveAnswer(message.answer, decision(this.options, message.request));
        case 'warning':
          return this.options.onWarning(message.warning);
        case 'spawned':
          this.#pid = message.pid;
          return;
        case 'ended':
          detail = message.detail;
          this.#ending ??= message.reason;
          return;
      }
    });
  }

  static start(
    number: number,
    options: Resolved,
    onLost: (
      lane: ThreadLane,
      reason: LaneLostReport['reason'],
      running: BoardState | undefined,
      detail: string,
    ) => void,
  ): Promise<ThreadLane> {
    return new Promise((resolve, reject) => {
      const lane: ThreadLane = new ThreadLane(number, options, onLost, (error) => {
        if (error === undefined) resolve(lane);
        else reject(error);
      });
    });
  }

  register(request: RegistrationRequest): Promise<void> {
    return this.#ask((id) => ({ kind: 'register', id, ...request }));
  }

  unregister(worker: number): void {
    this.#send({ kind: 'unregister', worker });
  }

  /** @returns undefined if the lane is lost before it answers */
  stats(): Promise<LaneStats | undefined> {
    return this.#ask<LaneStats | undefined>((id) => ({ kind: 'stats', id })).catch(() => undefined);
  }

  /** A lane that is lost takes its counts with it. */
  takeCoverage(): Promise<readonly BundleCoverage[]> {
    return this.#ask<readonly BundleCoverage[]>((id) => ({ kind: 'coverage', id })).catch(() => []);
  }

  /** Text for warnings, from the figures that were asked for last. */
  largestTypes(): string {
    const types = this.#lastStats?.runsByType.slice(0, 3) ?? [];
    return types.map(([type, runs]) => `${type} (${runs} runs)`).join(', ');
  }

  /** Ends the lane whatever it is doing. */
  async end(reason: LaneLostReport['reason']): Promise<void> {
    this.#ending ??= reason;
    await this.#terminate();
  }

  async #terminate(): Promise<void> {
    if (this.#pid === undefined) {
      await this.#worker.terminate();
      return;
    }
    if (this.#exited) return;
    // The thread ends by itself once it has read what its process has written.
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    try {
      process.kill(this.#pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
    const timer = setTimeout(() => void this.#worker.terminate(), 1000).unref();
    await exited;
    clearTimeout(timer);
  }

  async close(): Promise<void> {
    this.#ending = 'closed';
    if (this.#exited) return;
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.ref();
    this.#send({ kind: 'close' });
    // A lane in the middle of something long does not hear us.
    const timer = setTimeout(() => void this.#terminate(), 500);
    await exited;
    clearTimeout(timer);
  }

  #send(message: ToLane): void {
    if (!this.#exited) this.#worker.postMessage(message);
  }

  #ask<T = void>(message: (id: number) => ToLane): Promise<T> {
    if (this.#exited) return Promise.reject(new LaneLostError(`lane ${this.number} was lost`));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      // Who waits for an answer keeps the process alive for as long; who does not, does not (Q3).
      if (this.#pending.size === 1) this.#worker.ref();
      this.#send(message(id));
    });
  }

  #settle(id: number, error: Error | undefined, value: unknown): void {
    const waiting = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (error !== undefined) waiting?.reject(error);
    else waiting?.resolve(value);
  }
}

/**
 * An async scope in which no AsyncLocalStorage of the program has a value. Before Node.js 24 values are properties of
 * every promise that is made, those of workflows included.
 */
function withoutStores(): AsyncResource {
  const scope = new AsyncResource('PerdureInlineLane') as AsyncResource & Record<symbol, unknown>;
  for (const key of Object.getOwnPropertySymbols(scope)) {
    if (key.description === 'kResourceStore') scope[key] = undefined;
  }
  return scope;
}

/**
 * Lets Node.js tell of rejections that nothing handles, while it is known which run made them. Callbacks of the program
 * that are due anyway run too; what they throw is the program's, not the lane's.
 */
function flushProgram(): void {
  try {
    (process as { _tickCallback?: () => void })._tickCallback?.();
  } catch (error) {
    setImmediate(() => {
      throw error;
    });
  }
}

/** As `RuntimeHost.decidePatch` gives it; never throws. */
function decision({ onPatch }: Resolved, request: PatchRequest): string {
  try {
    return onPatch(request) ? 'yes' : 'no';
  } catch (error) {
    return `error: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
  }
}

/** The lane of debug mode: on the calling thread, where a debugger's breakpoints hold. */
class InlineLane implements LaneHandle {
  announced = false;

  private constructor(
    readonly number: number,
    private readonly lane: Lane,
    private readonly stopListening: () => void,
  ) {}

  static async start(number: number, options: Resolved): Promise<InlineLane> {
    const { laneTransport } = await loadTransport(options.transportModule);
    const lane = new Lane(
      number,
      {
        onSinkCalls: options.onSinkCalls,
        onWarning: options.onWarning,
        decidePatch: (worker, runId, patchId, info) => decision(options, { worker, runId, patchId, info }),
      },
      undefined,
      options.runtimeSource,
    );
    const listener = (reason: unknown, promise: Promise<unknown>) => {
      if (lane.handleRejection(reason, promise) || process.listenerCount('unhandledRejection') > 1) return;
      // Without this listener the process would have ended, so it still does.
      setImmediate(() => {
        throw reason;
      });
    };
    process.on('unhandledRejection', listener);
    lane.flushRejections = flushProgram;
    const data = options.transportData?.(number).data;
    const scope = withoutStores();
    const onBatch = (batch: Uint8Array) => scope.runInAsyncScope(() => lane.handleBatch(batch));
    lane.attach(laneTransport.open(number, onBatch, data));
    return new InlineLane(number, lane, () => process.off('unhandledRejection', listener));
  }

  async register({ registration, bundle, isolation }: RegistrationRequest): Promise<void> {
    compileBundle(bundle);
    this.lane.register(registration, bundle, isolation);
  }
  unregister(worker: number): void {
    this.lane.unregister(worker);
  }
  async stats(): Promise<LaneStats> {
    return this.lane.stats();
  }
  /** Code on this thread is counted by whoever counts the program's own. */
  async takeCoverage(): Promise<readonly BundleCoverage[]> {
    return [];
  }
  async close(): Promise<void> {
    this.stopListening();
    this.lane.close();
  }
}
