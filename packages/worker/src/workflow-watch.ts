/**
 * Watch mode: picks up changed workflow code while the worker runs.
 *
 * Owns    the files that are watched, when a rebuild begins, what is said about it.
 * Leaves  bundling to @perdure/bundler, exchanging the code to the lanes, replaying to replay.ts.
 * C1  A change that cannot be bundled or loaded leaves the worker on the code it has; the next change is tried again.
 * C2  One rebuild at a time; changes that come meanwhile lead to exactly one more.
 * C3  Watching never keeps the process alive, and never makes the worker fail.
 */
import { type FSWatcher, watch } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { type Logger, SdkComponent } from '@perdure/common';
import { errorMessage } from '@perdure/common/lib/type-helpers';
import type { WatchedBundle } from './bundle';
import type { ReplayResult } from './replay';
import type { LoadedBundle } from './workflow-host';

/** One change of workflow code, seen by a worker with `watchWorkflows`. */
export interface WorkflowReload {
  /** Absolute paths of the files that have changed, as far as the file system tells. */
  readonly changedFiles: readonly string[];
  /** From the first notice of the change until every new workflow task runs the new code, or until it was given up. */
  readonly durationMs: number;
  /** Why the worker goes on with the code it has: errors of the bundler, or of loading the bundle. */
  readonly error?: unknown;
}

/** Options of watch mode. */
export interface WatchWorkflowsOptions {
  /**
   * Open Workflows of the Task Queue that are replayed on the new code at once, most recent first, to say which of
   * them it does not fit. 0: none; they are told apart at their next Workflow Task. (=20)
   */
  replayOpenWorkflows?: number;
  /** Called after each change, when the new code is in place or was refused. */
  onReload?: (reload: WorkflowReload) => void;
  /** Called for each open Workflow that was replayed on the new code. */
  onReplay?: (result: ReplayResult) => void;
}

/** Editors write a file in several steps. */
const SETTLE_MS = 15;

export interface WatchHost {
  readonly options: Required<Pick<WatchWorkflowsOptions, 'replayOpenWorkflows'>> & WatchWorkflowsOptions;
  readonly logger: Logger;
  readonly attributes: Readonly<Record<string, string>>;
  /** Puts new code in place of the old one. */
  replace(bundle: LoadedBundle): Promise<void>;
  /** Replays open workflows on the code. */
  replayOpen(bundle: LoadedBundle, limit: number): AsyncIterable<ReplayResult>;
}

export class WorkflowWatch {
  readonly #watchers = new Map<string, FSWatcher>();
  #inputs: ReadonlySet<string>;
  #hash: string;
  #failed = false;
  #changed = new Set<string>();
  #noticedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #working = false;
  #stopped = false;

  constructor(
    private readonly source: WatchedBundle,
    private readonly host: WatchHost,
  ) {
    this.#inputs = new Set(source.bundle.inputFiles);
    this.#hash = source.bundle.hash;
    this.#arm();
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches the folders of all input files: a watched file is lost when an editor replaces it. */
  #arm(): void {
    const folders = new Set([...this.#inputs].filter(isOwnSource).map((file) => dirname(file)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) {
      if (this.#watchers.has(folder) || this.#stopped) continue;
      try {
        const watcher = watch(folder, { persistent: false }, (_event, name) => this.#onEvent(folder, name)); // C3
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch (error) {
        this.host.logger.warn('A folder with workflow code cannot be watched', {
          sdkComponent: SdkComponent.worker,
          folder,
          error,
        });
      }
    }
  }

  #onEvent(folder: string, name: string | null): void {
    const file = name === null ? folder : join(folder, name);
    // After a failure anything may be what was missing.
    if (name !== null && !this.#inputs.has(file) && !this.#failed) return;
    if (this.#changed.size === 0) this.#noticedAt = performance.now();
    this.#changed.add(file);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#stopped || this.#working) return; // C2
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#work(), SETTLE_MS);
    this.#timer.unref();
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      while (this.#changed.size > 0 && !this.#stopped) {
        const changedFiles = [...this.#changed];
        this.#changed.clear();
        await this.#reload(changedFiles, this.#noticedAt);
      }
    } finally {
      this.#working = false;
    }
  }

  /** Never rejects. */
  async #reload(changedFiles: readonly string[], noticedAt: number): Promise<void> {
    const { logger, attributes, options } = this.host;
    const meta = { sdkComponent: SdkComponent.worker, ...attributes, changedFiles };
    const report = (error?: unknown): number => {
      const durationMs = Math.round(performance.now() - noticedAt);
      this.#tell(() =>
        options.onReload?.({ changedFiles, durationMs, ...(error !== undefined && { error }) }),
      );
      return durationMs;
    };
    let bundle: LoadedBundle;
    try {
      const built = await this.source.rebuild();
      this.#failed = false;
      this.#inputs = new Set(built.inputFiles);
      this.#arm();
      if (built.hash === this.#hash || this.#stopped) return;
      bundle = built;
      await this.host.replace(bundle);
      this.#hash = bundle.hash;
    } catch (error) {
      if (this.#stopped) return;
      this.#failed = true; // C1
      const durationMs = report(error);
      logger.warn(`Changed workflow code is not used: ${errorMessage(error)}`, {
        ...meta,
        durationMs,
        error,
      });
      return;
    }
    const durationMs = report();
    logger.info('Workflow code has changed; Workflows go on with the new one', { ...meta, durationMs });
    await this.#replayOpen(bundle);
  }

  async #replayOpen(bundle: LoadedBundle): Promise<void> {
    const { logger, attributes, options } = this.host;
    if (options.replayOpenWorkflows === 0) return;
    const meta = { sdkComponent: SdkComponent.worker, ...attributes };
    try {
      for await (const result of this.host.replayOpen(bundle, options.replayOpenWorkflows)) {
        const { workflowId, runId, error } = result;
        if (error !== undefined) {
          logger.warn(
            `Workflow ${workflowId} (run ${runId}) does not fit the changed code: ${error.message}`,
            meta,
          );
        }
        this.#tell(() => options.onReplay?.(result));
        if (this.#stopped || this.#changed.size > 0) return; // older than the next change
      }
    } catch (error) {
      if (!this.#stopped)
        logger.warn('Open Workflows could not be replayed on the changed code', { ...meta, error });
    }
  }

  /** Calls back into the user's program. */
  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.host.logger.error('A callback of watchWorkflows has thrown', {
        sdkComponent: SdkComponent.worker,
        error,
      });
    }
  }
}

/** Dependencies hardly change while a program runs, and there are many of them. */
function isOwnSource(file: string): boolean {
  return !file.includes(`${sep}node_modules${sep}`);
}
