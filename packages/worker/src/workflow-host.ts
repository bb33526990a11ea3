/**
 * The lanes of a process, as workers use them.
 *
 * Owns    the lane pools, which worker's runs are on them, who gets sink calls and warnings.
 * Leaves  lanes themselves to @perdure/sandbox, which is loaded with the first worker that has workflows.
 * V1  All workers of a process share the lanes of their kind. A worker that wishes for more than there are adds some.
 * V2  A lane that is lost is reported to the hub before its replacement is offered.
 * V3  While lanes start, the process stays alive; afterwards they never keep it.
 */
import type { Logger, LogLevel, MetricMeter } from '@perdure/common';
import { SdkComponent } from '@perdure/common';
import { loadNative } from '@perdure/core';
import { LaneLost } from '@perdure/proto/perdure/core/v1/exchange';
import type {
  BundleCoverage,
  BundleSource,
  LaneLostReport,
  LanePool,
  LaneWarning,
  PatchRequest,
} from '@perdure/sandbox';
import type { SinkCallRecord } from '@perdure/workflow/runtime';
import { DefaultLogger } from './logger';
import { requireRealms } from './node-version';
import type { IssuedCommand } from './nondeterminism';
import { describe } from './options-check';
import type { CompiledLanesOptions } from './runtime-options';
import { LOGGER_SINK, replayingSinks, SinkDispatcher } from './sinks';
import type { CompiledWorkerOptions, PatchActivationCallback } from './worker-options';
import { defaultLaneCount } from './worker-options';
import { frozenWorkflowInfo } from './workflow-info';

/** A bundle with the build it stands for. */
export interface LoadedBundle extends BundleSource {
  /** Stands for the code in histories when nobody named a build. */
  readonly buildId: string;
}

/** A worker's place on the lanes. */
export interface HostedWorker {
  /** Lanes that may get its runs. */
  readonly lanes: readonly number[];
  /** Activations that lanes work on at this moment. */
  readonly inFlightActivations: number;
  /**
   * Gives the worker other code: runs that are in memory are evicted and replayed on it at their next task.
   * Evicts the runs of all workers on the same lanes; they come back by replay too.
   * @throws errors of the sandbox; the worker keeps the code it has
   */
  replaceBundle(bundle: LoadedBundle): Promise<void>;
  /** Resolves once all sink calls that lanes have made so far have arrived: lanes answer in order. */
  caughtUp(): Promise<void>;
  /**
   * Takes the worker and its runs off the lanes. Idempotent.
   * @param expectSuccessor true: another worker with the same bundle is likely to come soon, so the lanes keep it
   */
  remove(expectSuccessor?: boolean): Promise<void>;
}

/** Gets each command as workflow code issues it. */
export type CommandListener = (runId: string, command: IssuedCommand) => void;

/** More runs than a lane can have. */
const EVERY_RUN = 2 ** 31 - 1;

const COMMANDS_SINK = '__perdure_commands';

interface Guest {
  readonly worker: number;
  readonly onCommand: CommandListener | undefined;
  readonly pools: readonly LanePool[];
  readonly sinks: SinkDispatcher;
  readonly setLanes: (lanes: readonly number[]) => void;
  readonly decide: PatchActivationCallback | undefined;
}

interface SharedPool {
  readonly kind: 'thread' | 'process';
  readonly pool: Promise<LanePool>;
  readonly lanes: number;
}

export class WorkflowHost {
  readonly #guests = new Map<number, Guest>();
  readonly #pools: SharedPool[] = [];
  #debugPool: Promise<LanePool> | undefined;
  /** Transport of the lane of debug mode, if it is not the native one. */
  debugTransport: string | undefined;
  /** Removed, but still known to the lanes for the sake of its bundle. */
  #kept: Guest | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly meter: MetricMeter,
    private readonly lanes: CompiledLanesOptions,
  ) {}

  /**
   * Makes a worker's workflows runnable.
   * @param setLanes called whenever the set of its lanes has changed
   * @param onCommand given, each command is reported with its stack; that is slow
   * @throws errors of the sandbox: the bundle cannot be used, a lane cannot start
   */
  async add(
    worker: number,
    options: CompiledWorkerOptions,
    bundle: LoadedBundle,
    setLanes: (lanes: readonly number[]) => void,
    onCommand?: CommandListener,
  ): Promise<HostedWorker> {
    const stayAlive = setInterval(() => undefined, 2 ** 30); // V3
    try {
      const pools = await this.#poolsFor(options);
      const registration = {
        worker,
        namespace: options.namespace,
        taskQueue: options.taskQueue,
        identity: options.identity,
        buildId: options.workerDeploymentOptions?.version.buildId ?? options.buildId ?? bundle.buildId,
        replayingSinks: replayingSinks(options.sinks),
        showStackTraceSources: options.showStackTraceSources,
        ...localActivityNames(options),
        ...loggedFrom(options, this.logger),
        traceCommands: onCommand !== undefined,
        ...(options.patchActivationCallback !== undefined && { decidesPatches: true }),
        workflowFailureErrorTypes: options.workflowFailureErrorTypes,
      };
      const sinks = new SinkDispatcher(options.sinks, this.logger, options.taskQueue, this.meter);
      const guest: Guest = {
        worker,
        onCommand,
        pools,
        sinks,
        setLanes,
        decide: options.patchActivationCallback,
      };
      this.#guests.set(worker, guest);
      const isolation = options.reuseV8Context ? 'realm' : 'context';
      try {
        await Promise.all(pools.map((pool) => pool.register(registration, bundle, isolation)));
      } catch (error) {
        this.#remove(guest);
        throw error;
      }
      return {
        get lanes() {
          return lanesOf(guest);
        },
        get inFlightActivations() {
          return pools.flatMap((pool) => pool.running).filter((run) => run.worker === worker).length;
        },
        replaceBundle: async (next) => {
          await Promise.all(pools.map((pool) => pool.replaceBundle(worker, next)));
          for (const lane of lanesOf(guest)) loadNative().laneEvict(lane, EVERY_RUN);
        },
        caughtUp: async () => void (await Promise.all(pools.map((pool) => pool.stats()))),
        remove: async (expectSuccessor = false) => this.#remove(guest, expectSuccessor),
      };
    } finally {
      clearInterval(stayAlive);
    }
  }

  /** Starts the lanes that a worker will need, while other things are made ready. Errors come with `add`. */
  prepare(options: CompiledWorkerOptions): void {
    this.#poolsFor(options).catch(() => undefined);
  }

  /** What has run of each bundle on each lane since the last call; empty unless coverage is counted. */
  async takeCoverage(): Promise<readonly BundleCoverage[]> {
    const pools = await Promise.all(this.#pools.map(({ pool }) => pool));
    return (await Promise.all(pools.map((pool) => pool.takeCoverage()))).flat();
  }

  /** Ends all lanes; workers have to be removed before. */
  close(): void {
    const pools = [...this.#pools.map(({ pool }) => pool), ...(this.#debugPool ? [this.#debugPool] : [])];
    this.#pools.length = 0;
    this.#debugPool = undefined;
    this.#kept = undefined;
    for (const starting of pools) void starting.then((pool) => pool.close()).catch(() => undefined);
  }

  #poolsFor(options: CompiledWorkerOptions): Promise<LanePool[]> {
    if (options.debugMode) return Promise.all([this.#debug()]);
    return this.#sized(options.lanes, options.workflowThreadPoolSize ?? defaultLaneCount());
  }

  /** V1 @returns pools of at least `lanes` lanes together, all of one kind */
  async #sized(kind: SharedPool['kind'], lanes: number): Promise<LanePool[]> {
    const ofKind = () => this.#pools.filter((pool) => pool.kind === kind);
    const missing = lanes - ofKind().reduce((sum, pool) => sum + pool.lanes, 0);
    if (missing > 0) {
      const added = { kind, pool: this.#start(missing, kind), lanes: missing };
      this.#pools.push(added);
      added.pool.catch(() => this.#pools.splice(this.#pools.indexOf(added), 1));
    }
    return Promise.all(ofKind().map(({ pool }) => pool));
  }

  /** Workflows on this thread, without a deadline. */
  #debug(): Promise<LanePool> {
    this.#debugPool ??= this.#start(1, 'inline');
    return this.#debugPool;
  }

  #start(lanes: number, kind: SharedPool['kind'] | 'inline'): Promise<LanePool> {
    requireRealms();
    const inline = kind === 'inline';
    const sandbox = require('@perdure/sandbox') as typeof import('@perdure/sandbox');
    return sandbox.LanePool.create({
      lanes,
      inline,
      processes: kind === 'process',
      transportModule:
        (inline ? this.debugTransport : undefined) ?? require.resolve('@perdure/core/lane-transport'),
      heapMb: this.lanes.heapMb,
      // Counting makes code slower, and how much depends on the code.
      activationDeadlineMs: inline || countsCoverage() ? 0 : this.lanes.activationDeadlineMs,
      coverage: countsCoverage(),
      onSinkCalls: (calls) => this.#onSinkCalls(calls),
      onLaneLost: (report) => this.#onLaneLost(report),
      onLanesChanged: () => this.#onLanesChanged(),
      onWarning: (warning) => this.#onWarning(warning),
      onPatch: (request) => this.#onPatch(request),
    });
  }

  #remove(guest: Guest, keepBundle = false): void {
    if (!this.#guests.delete(guest.worker)) return;
    // A lane drops a bundle with the last worker that uses it; making its realm again costs milliseconds and memory.
    const dropped = keepBundle ? this.#kept : guest;
    if (keepBundle) this.#kept = guest;
    for (const pool of dropped?.pools ?? []) pool.unregister(dropped!.worker);
  }

  #onSinkCalls(calls: readonly SinkCallRecord[]): void {
    for (const call of calls) {
      const guest = this.#guests.get(call.worker);
      if (call.sink !== COMMANDS_SINK) guest?.sinks.call(call);
      else guest?.onCommand?.(call.runId, call.args[0] as IssuedCommand);
    }
  }

  /** V2 */
  #onLaneLost({ lane, guilty, message }: LaneLostReport): void {
    loadNative().laneLost(
      LaneLost.encode({
        lane,
        message,
        ...(guilty && {
          guilty: {
            worker: guilty.worker,
            runId: guilty.runId,
            message: `${guilty.message}; ${guilty.hint}`,
          },
        }),
      }).finish(),
    );
  }

  #onLanesChanged(): void {
    for (const guest of this.#guests.values()) guest.setLanes(lanesOf(guest));
  }

  /** @throws what the callback throws */
  #onPatch({ worker, patchId, info }: PatchRequest): boolean {
    const decide = this.#guests.get(worker)?.decide;
    if (decide === undefined) return true;
    const decision: unknown = decide(Object.freeze({ workflowInfo: frozenWorkflowInfo(info), patchId }));
    if (typeof decision !== 'boolean') {
      throw new TypeError(`it has to return true or false, and returned ${describe(decision)}`);
    }
    return decision;
  }

  #onWarning({ message, ...facts }: LaneWarning): void {
    this.logger.warn(message, { sdkComponent: SdkComponent.worker, ...facts });
  }
}

/** Tools that read NODE_V8_COVERAGE set it themselves; the other variable is for those that do not. */
function countsCoverage(): boolean {
  return Boolean(process.env.NODE_V8_COVERAGE || process.env.PERDURE_WORKFLOW_COVERAGE);
}

/** Where our own logger gets the lines, and no sink of the user: from which level on it writes. */
function loggedFrom({ sinks }: CompiledWorkerOptions, logger: Logger): { logLevel?: LogLevel } {
  return logger instanceof DefaultLogger && !Object.hasOwn(sinks, LOGGER_SINK)
    ? { logLevel: logger.level }
    : {};
}

/** What local activities can be called: none on a worker without activities. A replay knows of none and needs none. */
function localActivityNames({ activities, replays }: CompiledWorkerOptions): { activityNames?: string[] } {
  if (activities === undefined) return replays ? {} : { activityNames: [] };
  const { collectActivities } =
    require('@perdure/activity/runner') as typeof import('@perdure/activity/runner');
  return { activityNames: [...collectActivities(activities).keys()] };
}

function lanesOf({ pools }: Guest): number[] {
  return pools.flatMap((pool) => pool.laneIds);
}
