/**
 * The life of an activity-only worker, over any source of tasks.
 *
 * Owns    the state, the runner, signals of the process, the force time.
 * Leaves  polling, throttling and delivery to the source; running activities to @perdure/activity.
 * B1  Every activity is answered before the source is closed, unless the force time has passed: then what still
 *     runs is answered as failed, and `run` rejects.
 * B2  Whatever ends a worker, its source is closed and its signal handlers are gone when `run` settles.
 */
import type { ContextClient } from '@perdure/activity';
import type { ActivityRunnerStatus, PayloadLimitsSource } from '@perdure/activity/runner';
import { ActivityRunner } from '@perdure/activity/runner';
import { IllegalStateError, SdkComponent } from '@perdure/common';
import { ActivityWorkerFailedError, GracefulShutdownPeriodExpiredError } from './errors';
import type { ResolvedOptions } from './options';
import { onShutdownSignals } from './signals';
import { type State, step } from './state';
import type { TaskSource } from './task-source';

/** How long a worker that failed may take to tell the server what became of its activities. */
const ABANDON_MS = 5000;

/** What a kind of worker is made of. */
export interface WorkerParts {
  readonly source: TaskSource;
  readonly client?: () => ContextClient | undefined;
  readonly payloadLimits: PayloadLimitsSource;
}

/** An activity-only worker at one moment. */
export interface ActivityWorkerStatus extends ActivityRunnerStatus {
  readonly runState: State;
}

export abstract class BaseActivityWorker {
  readonly #source: TaskSource;
  readonly #runner: ActivityRunner;
  readonly #done: Promise<void>;
  #settle!: (error?: unknown) => void;
  #state: State = 'INITIALIZED';
  #failure: unknown;
  #forceTimer: NodeJS.Timeout | undefined;

  protected constructor(
    /** Options with every default applied. */
    readonly options: ResolvedOptions,
    { source, client, payloadLimits }: WorkerParts,
  ) {
    const { namespace, taskQueue, activities, dataConverter, interceptors, logger, metricMeter } = options;
    this.#source = source;
    this.#runner = new ActivityRunner({
      namespace,
      taskQueue,
      activities,
      dataConverter,
      interceptors,
      logger,
      metricMeter,
      payloadLimits,
      ...(client && { client }),
      hooks: {
        complete: (completion) => source.complete(completion),
        heartbeat: (heartbeat) => source.heartbeat(heartbeat),
      },
    });
    this.#done = new Promise<void>((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error));
    });
    this.#done.catch(() => undefined);
  }

  getState(): State {
    return this.#state;
  }

  getStatus(): ActivityWorkerStatus {
    return { runState: this.#state, ...this.#runner.status };
  }

  /**
   * Polls until the worker is shut down, by `shutdown` or by a signal.
   * @throws {IllegalStateError} the worker has been run already
   * @throws {GracefulShutdownPeriodExpiredError} `shutdownForceTime` passed before every activity had ended
   * @throws {ActivityWorkerFailedError} the server refuses the polls, or the native side cannot go on
   */
  async run(): Promise<void> {
    if (this.#state !== 'INITIALIZED') throw new IllegalStateError('The worker has been run already');
    this.#to('RUNNING');
    const forget = onShutdownSignals(this.options.shutdownSignals, () => {
      if (this.#state === 'RUNNING') this.shutdown();
    });
    try {
      this.#source.start({
        task: (task) => this.#runner.handle(task),
        ended: (error) => void this.#ended(error),
      });
      await this.#done;
      await this.#source.close(); // B1
      this.#to('STOPPED');
    } catch (error) {
      this.#fail(error);
      this.#source.stop();
      this.#runner.abandon(`The worker was shut down by force: ${textOf(error)}`);
      await within(this.#runner.idle(), ABANDON_MS);
      await within(this.#source.close(), ABANDON_MS); // B2
      throw this.#failure;
    } finally {
      clearTimeout(this.#forceTimer);
      forget();
    }
  }

  /**
   * Runs until `fnOrPromise` has settled, then shuts down.
   * @returns what the promise resolved to
   * @throws what made the worker fail, else what the promise rejected with
   */
  async runUntil<R>(fnOrPromise: Promise<R> | (() => Promise<R>)): Promise<R> {
    const running = this.run();
    running.catch(() => undefined);
    const inner = (async () => (typeof fnOrPromise === 'function' ? fnOrPromise() : fnOrPromise))();
    inner.catch(() => undefined);
    await Promise.race([inner.catch(() => undefined), running]);
    if (this.#state === 'RUNNING') this.shutdown();
    await running;
    return inner;
  }

  /**
   * Begins to shut down; `run` resolves once every activity has ended.
   * @throws {IllegalStateError} the worker does not run
   */
  shutdown(): void {
    if (this.#state !== 'RUNNING') throw new IllegalStateError(`Not running. Current state: ${this.#state}`);
    this.#to('STOPPING');
    this.#source.stop();
    const forceMs = this.options.shutdownForceTimeMs;
    if (forceMs === undefined) return;
    this.#forceTimer = setTimeout(() => {
      const what = `Timed out while waiting for worker to shutdown gracefully: ${forceMs} ms have passed`;
      this.#settle(new GracefulShutdownPeriodExpiredError(what));
    }, forceMs);
  }

  async #ended(error: unknown): Promise<void> {
    if (error !== undefined || this.#state === 'RUNNING') {
      this.#settle(
        error instanceof ActivityWorkerFailedError
          ? error
          : new ActivityWorkerFailedError(`polling has ended by itself: ${textOf(error)}`, error),
      );
      return;
    }
    if (this.#state !== 'STOPPING') return;
    this.#to('DRAINING');
    await this.#runner.idle(); // B1
    // By now the force time may have made it FAILED.
    if (this.getState() !== 'DRAINING') return;
    this.#to('DRAINED');
    this.#settle();
  }

  #fail(error: unknown): void {
    this.#failure = error;
    this.#to('FAILED');
    const { logger, taskQueue } = this.options;
    logger.error('Worker failed', { sdkComponent: SdkComponent.worker, taskQueue, error });
  }

  #to(state: State): void {
    this.#state = step(this.#state, state);
    const { logger, taskQueue } = this.options;
    logger.info('Worker state changed', { sdkComponent: SdkComponent.worker, taskQueue, state });
  }
}

/** Waits, but no longer than `limitMs`, and not for an outcome. */
async function within(promise: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([promise.catch(() => undefined), limit]);
  clearTimeout(timer);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
