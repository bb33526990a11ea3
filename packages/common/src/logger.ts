/** Logging: the interface that users implement, and composition of metadata. */

/** From the most to the least talkative. */
export type LogLevel = 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

/** Structured fields. */
export type LogMetadata = Record<string | symbol, any>;

/** Implement it to send the SDK's log messages elsewhere. */
export interface Logger {
  log(level: LogLevel, message: string, meta?: LogMetadata): any;
  trace(message: string, meta?: LogMetadata): any;
  debug(message: string, meta?: LogMetadata): any;
  info(message: string, meta?: LogMetadata): any;
  warn(message: string, meta?: LogMetadata): any;
  error(message: string, meta?: LogMetadata): any;
}

/** Where a message comes from: the log field `sdkComponent`. */
export enum SdkComponent {
  /** User code of a workflow. */
  workflow = 'workflow',
  /** User code of an activity. */
  activity = 'activity',
  /** User code of a Nexus operation handler. */
  nexus = 'nexus',
  /** The SDK itself. */
  worker = 'worker',
  /** The native part. */
  core = 'core',
}

/** Fields, or a function that gives them when a message is logged. */
export type LogMetaOrFunc = LogMetadata | (() => LogMetadata);

/** Adds fields to every message of another logger. Later fields win over earlier ones, a message's own over all. */
export class LoggerWithComposedMetadata implements Logger {
  readonly #parent: Logger;
  readonly #contributors: readonly LogMetaOrFunc[];

  /** A logger that adds these fields to what `logger` adds already. */
  static compose(logger: Logger, ...metaOrFuncs: LogMetaOrFunc[]): Logger {
    const added = metaOrFuncs.filter(
      (each) => typeof each === 'function' || Reflect.ownKeys(each).length > 0,
    );
    if (added.length === 0) return logger;
    return logger instanceof LoggerWithComposedMetadata
      ? new LoggerWithComposedMetadata(logger.#parent, [...logger.#contributors, ...added])
      : new LoggerWithComposedMetadata(logger, added);
  }

  constructor(parent: Logger, contributors: readonly LogMetaOrFunc[]) {
    this.#parent = parent;
    this.#contributors = contributors;
  }

  #compose(meta: LogMetadata | undefined): LogMetadata {
    const all: LogMetadata = {};
    for (const each of this.#contributors) Object.assign(all, typeof each === 'function' ? each() : each);
    return Object.assign(all, meta);
  }

  log(level: LogLevel, message: string, meta?: LogMetadata): void {
    this.#parent.log(level, message, this.#compose(meta));
  }

  trace(message: string, meta?: LogMetadata): void {
    this.#parent.trace(message, this.#compose(meta));
  }

  debug(message: string, meta?: LogMetadata): void {
    this.#parent.debug(message, this.#compose(meta));
  }

  info(message: string, meta?: LogMetadata): void {
    this.#parent.info(message, this.#compose(meta));
  }

  warn(message: string, meta?: LogMetadata): void {
    this.#parent.warn(message, this.#compose(meta));
  }

  error(message: string, meta?: LogMetadata): void {
    this.#parent.error(message, this.#compose(meta));
  }
}
