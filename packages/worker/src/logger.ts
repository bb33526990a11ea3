/** The logger that is used when none is given: lines on stderr. */
import { inspect } from 'node:util'; // at once: a test runner may have taken require away when the last lines come
import type { Logger, LogLevel, LogMetadata } from '@perdure/common';

/** Symbol key of metadata under which a forwarded native line keeps its own time, epoch nanoseconds. */
export const LogTimestamp = Symbol.for('__temporal_log_timestamp');

/** What a log function gets. */
export interface LogEntry {
  message: string;
  level: LogLevel;
  /** Epoch nanoseconds. */
  timestampNanos: bigint;
  meta?: LogMetadata;
}

const SEVERITY: readonly LogLevel[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

/** Writes lines of at least `level` to stderr, or gives them to `logFunction`. */
export class DefaultLogger implements Logger {
  readonly #minimum: number;

  constructor(
    /** Least severe level that is written. */
    readonly level: LogLevel = 'INFO',
    private readonly logFunction: (entry: LogEntry) => void = writeLine,
  ) {
    this.#minimum = SEVERITY.indexOf(level);
  }

  log(level: LogLevel, message: string, meta?: LogMetadata): void {
    if (SEVERITY.indexOf(level) < this.#minimum) return;
    const { [LogTimestamp]: own, ...rest } = meta ?? {};
    this.logFunction({
      level,
      message,
      timestampNanos: typeof own === 'bigint' ? own : BigInt(Date.now()) * 1_000_000n,
      ...(meta !== undefined && { meta: rest }),
    });
  }

  trace(message: string, meta?: LogMetadata): void {
    this.log('TRACE', message, meta);
  }

  debug(message: string, meta?: LogMetadata): void {
    this.log('DEBUG', message, meta);
  }

  info(message: string, meta?: LogMetadata): void {
    this.log('INFO', message, meta);
  }

  warn(message: string, meta?: LogMetadata): void {
    this.log('WARN', message, meta);
  }

  error(message: string, meta?: LogMetadata): void {
    this.log('ERROR', message, meta);
  }
}

function writeLine({ level, timestampNanos, message, meta }: LogEntry): void {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const fields = meta === undefined || Object.keys(meta).length === 0 ? '' : ` ${showFields(meta)}`;
  process.stderr.write(`${time} [${level}] ${message}${fields}\n`);
}

/** `util.inspect` shows errors with stacks and survives loops and most hostile getters. */
function showFields(meta: LogMetadata): string {
  try {
    return inspect(meta, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
  } catch {
    return '{fields that cannot be shown}';
  }
}
