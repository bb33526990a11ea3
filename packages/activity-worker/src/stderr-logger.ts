/** The logger that is used when none is given: lines of INFO and above on stderr. */
import { inspect } from 'node:util';
import type { Logger, LogLevel, LogMetadata } from '@perdure/common';

const WRITTEN: readonly LogLevel[] = ['INFO', 'WARN', 'ERROR'];

function log(level: LogLevel, message: string, meta: LogMetadata = {}): void {
  if (!WRITTEN.includes(level)) return;
  const fields = Object.keys(meta).length === 0 ? '' : ` ${showFields(meta)}`;
  process.stderr.write(`${new Date().toISOString()} [${level}] ${message}${fields}\n`);
}

/** `inspect` shows errors with stacks; hostile getters must not cost the line. */
function showFields(meta: LogMetadata): string {
  try {
    return inspect(meta, { breakLength: Number.POSITIVE_INFINITY, depth: 4 });
  } catch {
    return '{fields that cannot be shown}';
  }
}

export const stderrLogger: Logger = {
  log,
  trace: (message, meta) => log('TRACE', message, meta),
  debug: (message, meta) => log('DEBUG', message, meta),
  info: (message, meta) => log('INFO', message, meta),
  warn: (message, meta) => log('WARN', message, meta),
  error: (message, meta) => log('ERROR', message, meta),
};
