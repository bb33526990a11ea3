/**
 * The runtime: what all workers and native connections of a process share.
 *
 * Owns    the native runtime, the lanes, the shutdown signals, the logger.
 * U1  One instance at a time. It opens its native side when first used and closes it once nothing uses it any
 *     more; options given to `install` stay for the next instance.
 * U2  Nothing here keeps the process alive.
 * U3  Signals are handled only while workers run, and only once: a second signal has its ordinary effect.
 */
import type { Logger, MetricMeter } from '@perdure/common';
import { IllegalStateError, noopMetricMeter, SdkComponent } from '@perdure/common';
import type { RuntimeHandle } from '@perdure/core';
import { coreMetricMeter, loadNative } from '@perdure/core';
import { TelemetryBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { RuntimeOptions as RuntimeOptionsMessage } from '@perdure/proto/perdure/core/v1/options';
import type { MetricsBuffer } from './metrics-buffer';
import { nativeLine } from './native-log';
import type { CompiledRuntimeOptions, RuntimeOptions } from './runtime-options';
import { compileRuntimeOptions } from './runtime-options';
import { WorkflowHost } from './workflow-host';

/** Something that a signal or the runtime may tell to stop. */
export interface Stoppable {
  shutdown(): void;
}

/** How long an unused native side is kept for the next user. */
const LINGER_MS = 1000;

export class Runtime {
  /** The current instance. */
  static _instance?: Runtime;
  /** How the current instance came to be. */
  static instantiator?: 'install' | 'instance';
  /** Options of the next instance that is made without any. */
  static defaultOptions: RuntimeOptions = {};

  /**
   * Sets the options of this process's runtime.
   * @throws {IllegalStateError} there is an instance that is in use
   * @throws {InvalidOptionsError} with all problems
   */
  static install(options: RuntimeOptions): Runtime {
    const compiled = compileRuntimeOptions(options);
    const present = Runtime._instance;
    if (present !== undefined && !present.#discard()) {
      throw new IllegalStateError(
        Runtime.instantiator === 'install'
          ? 'Runtime singleton has already been installed'
          : 'Runtime singleton has already been instantiated: install it before the first worker or connection is made',
      );
    }
    const runtime = new Runtime(compiled);
    Runtime.defaultOptions = options;
    Runtime._instance = runtime;
    Runtime.instantiator = 'install';
    return runtime;
  }

  /** The instance; made with the options of the last `install`, or defaults, if there is none. */
  static instance(): Runtime {
    if (Runtime._instance === undefined) {
      Runtime._instance = new Runtime(compileRuntimeOptions(Runtime.defaultOptions));
      Runtime.instantiator = 'instance';
    }
    return Runtime._instance;
  }

  /** Where lines of the SDK, of workflows and of activities go. */
  readonly logger: Logger;
  /** Meter of the exporter that the options name; records nothing while metrics are off. */
  readonly metricMeter: MetricMeter;
  /** The buffer that the options name. */
  readonly metricsBuffer: MetricsBuffer | undefined;

  readonly #users = new Set<object>();
  readonly #running = new Set<Stoppable>();
  #native: RuntimeHandle | undefined;
  #workflows: WorkflowHost | undefined;
  #lingering: NodeJS.Timeout | undefined;
  #onSignal: ((signal: NodeJS.Signals) => void) | undefined;
  readonly #onExit = () => this.#close();

  private constructor(
    /** Options with every field set. */
    readonly options: CompiledRuntimeOptions,
  ) {
    this.logger = options.logger;
    this.metricMeter =
      options.message.metrics === undefined ? noopMetricMeter : coreMetricMeter(() => this.native);
    this.metricsBuffer = options.metricsBuffer;
  }

  /** Handle of the native side, opened on first use. */
  get native(): RuntimeHandle {
    if (this.#native === undefined) {
      const message = RuntimeOptionsMessage.encode(this.options.message).finish();
      this.#native = loadNative().runtimeOpen(message, (batch) => this.#onTelemetry(batch));
      this.metricsBuffer?.bind(this.#native);
      process.once('exit', this.#onExit);
    }
    return this.#native;
  }

  /** The lanes that all workers of this process share. @internal */
  get workflows(): WorkflowHost {
    this.#workflows ??= new WorkflowHost(this.logger, this.metricMeter, this.options.lanes);
    return this.#workflows;
  }

  /** Gives native lines that are on their way to the logger now; without it they come a moment later. */
  flushLogs(): void {
    if (this.#native !== undefined) this.#onTelemetry(loadNative().runtimeTakeTelemetry(this.#native));
  }

  /**
   * Closes the native side at once, which otherwise happens a moment after its last worker and connection are gone. The
   * next `install` or `instance` makes another runtime.
   * @throws {IllegalStateError} a worker or a native connection is open
   */
  async shutdown(): Promise<void> {
    if (this.#discard()) return;
    throw new IllegalStateError(
      'The runtime is in use: shut down its workers and close its native connections first',
    );
  }

  /** Keeps the native side open until `release`. @internal */
  acquire(user: object): void {
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    this.#users.add(user);
    if (Runtime._instance === undefined) Runtime._instance = this;
  }

  /** @internal */
  release(user: object): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    // U1: the next replay or test likely comes at once; making lanes and threads anew would cost it dearly.
    this.#lingering = setTimeout(() => this.#discard(), LINGER_MS).unref();
  }

  /** From now on shutdown signals reach `worker`. @internal */
  started(worker: Stoppable): void {
    this.#running.add(worker);
    if (this.#onSignal !== undefined || this.options.shutdownSignals.length === 0) return;
    this.#onSignal = (signal) => {
      this.#removeSignalHandlers(); // U3
      this.logger.info('Shutting down workers on signal', { sdkComponent: SdkComponent.worker, signal });
      for (const running of [...this.#running]) running.shutdown();
    };
    for (const signal of this.options.shutdownSignals) process.on(signal, this.#onSignal);
  }

  /** @internal */
  stopped(worker: Stoppable): void {
    this.#running.delete(worker);
    if (this.#running.size === 0) this.#removeSignalHandlers();
  }

  #removeSignalHandlers(): void {
    if (this.#onSignal === undefined) return;
    for (const signal of this.options.shutdownSignals) process.off(signal, this.#onSignal);
    this.#onSignal = undefined;
  }

  /** Closes an instance that nothing uses. @returns whether nothing did */
  #discard(): boolean {
    if (this.#users.size > 0) return false;
    this.#close();
    if (Runtime._instance === this) {
      Runtime._instance = undefined;
      Runtime.instantiator = undefined;
    }
    return true;
  }

  #close(): void {
    clearTimeout(this.#lingering);
    this.#lingering = undefined;
    process.off('exit', this.#onExit);
    this.#workflows?.close();
    this.#workflows = undefined;
    this.flushLogs();
    if (this.#native !== undefined) loadNative().runtimeClose(this.#native);
    this.#native = undefined;
  }

  #onTelemetry(bytes: Uint8Array): void {
    const { logs = [], droppedLogs } = TelemetryBatch.decode(bytes);
    for (const record of logs) {
      const { level, message, metadata } = nativeLine(record);
      this.logger.log(level, message, metadata);
    }
    if (droppedLogs !== undefined && !droppedLogs.isZero()) {
      this.logger.warn('Native log lines were dropped: too many came at once', {
        sdkComponent: SdkComponent.core,
        dropped: droppedLogs.toNumber(),
      });
    }
  }
}
