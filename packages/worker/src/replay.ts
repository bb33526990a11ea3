/**
 * Replays histories against workflow code, without a server.
 *
 * Y1  Each history ends in exactly one result; one that cannot be replayed does not end the others.
 * Y2  Histories are replayed side by side, a few for each lane: while the core prepares one, the lane has others.
 * Y3  A caller who stops early is asked for no more histories, and the iterable that gives them is told.
 */
import type { HistoryAndWorkflowId } from '@perdure/common';
import type { WorkerHandle } from '@perdure/core';
import { loadNative } from '@perdure/core';
import type {
  ReplayResult as ReplayResultMessage,
  WorkerEvent,
} from '@perdure/proto/perdure/core/v1/exchange';
import { TaskBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { ReplayHistory, WorkerOptions as WorkerOptionsMessage } from '@perdure/proto/perdure/core/v1/options';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { DeterminismViolationError } from '@perdure/workflow';
import { loadBundle } from './bundle';
import { CodecStage, replayStages } from './codec-stage';
import { loadConverters } from './data-converter';
import { ReplayError, WorkerFatalError } from './errors';
import { toHistory } from './history';
import { workerOptionsMessage } from './native-options';
import type { IssuedCommand } from './nondeterminism';
import { explainDifference } from './nondeterminism';
import { Runtime } from './runtime';
import type { CompiledWorkerOptions, ReplayWorkerOptions } from './worker-options';
import { compileReplayWorkerOptions, defaultLaneCount } from './worker-options';
import type { CommandListener, HostedWorker, LoadedBundle } from './workflow-host';

/** Y2 More gain nothing, and each takes a thread of the core that mostly waits. */
const HISTORIES_PER_LANE = 4;

/** A state machine of the core met an event that it had no transition for, and calls that fatal. */
const CORE_DISAGREES = /^Fatal error in workflow machines/;

/** Histories to replay. */
export type ReplayHistoriesIterable = AsyncIterable<HistoryAndWorkflowId> | Iterable<HistoryAndWorkflowId>;

/** How the replay of one history ended. */
export interface ReplayResult {
  readonly workflowId: string;
  readonly runId: string;
  /** Absent: the code fits the history. */
  readonly error?: ReplayError | DeterminismViolationError;
}

/** @throws {DeterminismViolationError} {ReplayError} the history could not be replayed */
export async function runReplayHistory(
  options: ReplayWorkerOptions,
  history: unknown,
  workflowId = 'fake',
): Promise<void> {
  for await (const { error } of runReplayHistories(options, [{ workflowId, history }])) {
    if (error !== undefined) throw error;
  }
}

/** Yields a result for each history, in the order in which replays end. */
export async function* runReplayHistories(
  options: ReplayWorkerOptions,
  histories: ReplayHistoriesIterable,
): AsyncIterableIterator<ReplayResult> {
  const replayer = await Replayer.start(options, Array.isArray(histories) ? histories.length : undefined);
  try {
    yield* replayer.replay(histories);
  } finally {
    await replayer.close();
  }
}

/** What a history is replayed on. */
export interface Replayed {
  readonly runtime: Runtime;
  readonly options: CompiledWorkerOptions;
  readonly bundle: LoadedBundle;
}

/** Replays once more, slowly, to learn where each command comes from. */
export function traceCommands(on: Replayed, given: HistoryAndWorkflowId): Promise<IssuedCommand[]> {
  return Replayer.trace(on, given);
}

/** A history on its way through the hub. */
interface Outstanding {
  readonly workflowId: string;
  /** Empty: the history names none, and the hub makes one up. */
  readonly runId: string;
  /** Place in the feed: ids need not be unique. */
  readonly number: number;
  readonly history: History;
}

class Replayer {
  /** @param count  how many histories will come, if that is known */
  static async start(options: ReplayWorkerOptions, count = Number.POSITIVE_INFINITY): Promise<Replayer> {
    const runtime = Runtime.instance();
    let configured = options;
    for (const plugin of options?.plugins ?? []) {
      configured = (await plugin.configureReplayWorker?.(configured)) ?? configured;
    }
    const compiled = compileReplayWorkerOptions(configured, runtime.logger);
    runtime.workflows.prepare(compiled);
    const bundle = await loadBundle(compiled, runtime.logger);
    if (bundle === undefined) throw new ReplayError('no plugin has set workflowsPath or workflowBundle');
    return Replayer.#opened(new Replayer(runtime, compiled, bundle, count));
  }

  static async #opened(replayer: Replayer): Promise<Replayer> {
    replayer.runtime.acquire(replayer);
    try {
      await replayer.#open();
      return replayer;
    } catch (error) {
      await replayer.close();
      throw error;
    }
  }

  readonly #outstanding: Outstanding[] = [];
  readonly #done: ReplayResult[] = [];
  readonly #drained: Promise<void>;
  #handle: WorkerHandle | undefined;
  #hosted: HostedWorker | undefined;
  #codecs: CodecStage | undefined;
  #fatal: WorkerFatalError | undefined;
  #fed = 0;
  #started = false;
  #closing = false;
  #resolveDrained!: () => void;
  #wake: () => void = () => undefined;

  private constructor(
    private readonly runtime: Runtime,
    private readonly options: CompiledWorkerOptions,
    private readonly bundle: LoadedBundle,
    private readonly count: number,
    private readonly onCommand?: CommandListener,
  ) {
    this.#drained = new Promise((resolve) => {
      this.#resolveDrained = resolve;
    });
  }

  async #open(): Promise<void> {
    const { options, runtime, bundle } = this;
    const native = loadNative();
    const stages = replayStages(loadConverters(options.dataConverter));
    const message = workerOptionsMessage(options, {
      workflows: true,
      activities: false,
      nexus: false,
      codec: stages.length > 0,
      buildId: bundle.buildId,
    });
    // Y2
    const lanes = options.workflowThreadPoolSize ?? defaultLaneCount();
    message.replayConcurrency = Math.max(1, Math.min(this.count, lanes * HISTORIES_PER_LANE));
    const handle = native.replayWorkerOpen(
      runtime.native,
      WorkerOptionsMessage.encode(message).finish(),
      (batch) => this.#onTasks(batch),
    );
    this.#handle = handle;
    if (stages.length > 0) {
      this.#codecs = new CodecStage(stages, options.namespace, (response) =>
        native.codecComplete(handle, response),
      );
    }
    this.#hosted = await runtime.workflows.add(
      native.workerNumber(handle),
      options,
      bundle,
      (lanes) => native.workerSetLanes(handle, lanes),
      this.onCommand,
    );
    native.workerStart(handle, this.#hosted.lanes);
    this.#started = true;
  }

  async *replay(histories: ReplayHistoriesIterable): AsyncIterableIterator<ReplayResult> {
    let feeding = true;
    let feedError: { readonly error: unknown } | undefined;
    const feed = this.#feed(histories)
      .catch((error: unknown) => {
        feedError = { error }; // the caller's iterable has thrown
      })
      .finally(() => {
        feeding = false;
        this.#wake();
      });
    while (feeding || this.#outstanding.length > 0 || this.#done.length > 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const result = this.#done.shift();
      if (result !== undefined) yield result;
      else await woken;
    }
    await feed;
    if (feedError !== undefined) throw feedError.error;
  }

  async close(): Promise<void> {
    this.#closing = true;
    try {
      if (this.#handle === undefined) return;
      const native = loadNative();
      native.replayEnd(this.#handle);
      if (this.#started) {
        native.workerShutdown(this.#handle);
        await this.#drained;
      }
      await native.workerFinalize(this.#handle);
    } finally {
      this.#handle = undefined;
      await this.#hosted?.remove(true);
      this.runtime.release(this);
    }
  }

  async #feed(histories: ReplayHistoriesIterable): Promise<void> {
    for await (const { workflowId, history } of iterate(histories)) {
      if (this.#closing) return; // Y3
      let entry: Outstanding = { workflowId, runId: '', number: -1, history: {} };
      try {
        const message = toHistory(history);
        const bytes = ReplayHistory.encode({
          workflowId,
          history: History.encode(message).finish(),
        }).finish();
        if (this.#fatal !== undefined) throw this.#fatal;
        const started = message.events?.[0]?.workflowExecutionStartedEventAttributes;
        const runId = started?.originalExecutionRunId ?? '';
        entry = { workflowId, runId, number: this.#fed++, history: message };
        this.#outstanding.push(entry);
        await loadNative().replayFeed(this.#handle!, bytes);
      } catch (error) {
        this.#end(entry, asReplayError(error)); // Y1
      }
    }
  }

  #onTasks(bytes: Uint8Array): void {
    for (const { codec, event } of TaskBatch.decode(bytes).items ?? []) {
      if (codec !== undefined) void this.#codecs?.serve(codec);
      else if (event !== undefined) this.#onEvent(event);
    }
  }

  #onEvent({ replayResult, fatal, pollerDrained }: WorkerEvent): void {
    if (replayResult !== undefined) this.#onResult(replayResult);
    if (fatal !== undefined) {
      this.#fatal = new WorkerFatalError(
        fatal.message || 'the replay worker failed',
        fatal.code || 'CORE_UNKNOWN',
      );
      for (const entry of [...this.#outstanding]) this.#end(entry, asReplayError(this.#fatal));
      this.#resolveDrained();
    }
    if (pollerDrained !== undefined) this.#resolveDrained();
  }

  #onResult({ number, runId = '', failure, nondeterminism }: ReplayResultMessage): void {
    const entry = this.#outstanding.find((candidate) => number?.eq(candidate.number));
    if (entry === undefined) return;
    if (!failure) this.#end(entry, undefined, runId);
    else void this.#explained(entry, failure, nondeterminism).then((error) => this.#end(entry, error, runId));
  }

  /** Never rejects. */
  async #explained(
    entry: Outstanding,
    failure: string,
    nondeterminism: boolean | undefined,
  ): Promise<ReplayError | DeterminismViolationError> {
    let difference: string | undefined;
    if (this.onCommand === undefined && (nondeterminism || CORE_DISAGREES.test(failure))) {
      try {
        const { runtime, options, bundle } = this;
        const issued = await traceCommands({ runtime, options, bundle }, entry);
        difference = explainDifference(entry.history, issued, failure);
      } catch (error) {
        this.runtime.logger.debug('The commands of a replay could not be traced', { error });
      }
    }
    const message = difference === undefined ? failure : `${failure}\n${difference}`;
    return nondeterminism ? new DeterminismViolationError(message) : new ReplayError(message);
  }

  /** Every command that the code issues for one history. */
  static async trace(
    { runtime, options, bundle }: Replayed,
    given: HistoryAndWorkflowId,
  ): Promise<IssuedCommand[]> {
    const commands: IssuedCommand[] = [];
    const tracer = await Replayer.#opened(
      new Replayer(runtime, tracingOptions(options), bundle, 1, (_, command) => {
        commands.push(command);
      }),
    );
    try {
      for await (const _ of tracer.replay([given])) await tracer.#hosted?.caughtUp();
    } finally {
      await tracer.close();
    }
    return commands;
  }

  #end(entry: Outstanding, error: ReplayResult['error'], runId = entry.runId): void {
    const index = this.#outstanding.indexOf(entry);
    if (index >= 0) this.#outstanding.splice(index, 1);
    this.#done.push({ workflowId: entry.workflowId, runId, ...(error && { error }) });
    this.#wake();
  }
}

/** The options of a worker, live ones included, without what only concerns a server or the user. */
function tracingOptions(options: CompiledWorkerOptions): CompiledWorkerOptions {
  const slots = { type: 'fixed-size', numSlots: 4 } as const;
  return {
    ...options,
    activities: undefined,
    enableNonLocalActivities: false,
    nexusServices: [],
    plugins: [],
    sinks: {},
    tuner: {
      workflowTaskSlotSupplier: slots,
      activityTaskSlotSupplier: slots,
      localActivityTaskSlotSupplier: slots,
      nexusTaskSlotSupplier: slots,
    },
    useVersioning: false,
    workerDeploymentOptions: undefined,
    workflowThreadPoolSize: undefined,
  };
}

function asReplayError(error: unknown): ReplayError {
  if (error instanceof ReplayError) return error;
  return new ReplayError(error instanceof Error ? error.message : String(error));
}

async function* iterate<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
