/** A line of the native side, as a logger takes it. */
import { type LogLevel, type LogMetadata, SdkComponent } from '@perdure/common';
import type { LogRecord } from '@perdure/proto/perdure/core/v1/exchange';
import { LogTimestamp } from './logger';

const LEVELS: ReadonlySet<string> = new Set<LogLevel>(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR']);

/**
 * Fields keep their values and are named as those of other lines are: what a filter finds by `runId`, `workflowId` or
 * `taskQueue` in lines of workflows and workers, it finds in these.
 */
export function nativeLine({
  level = 'INFO',
  message = '',
  target,
  timeUnixNs,
  fields = {},
  spans = [],
}: LogRecord): {
  readonly level: LogLevel;
  readonly message: string;
  readonly metadata: LogMetadata;
} {
  return {
    level: LEVELS.has(level) ? (level as LogLevel) : 'INFO',
    message,
    metadata: {
      sdkComponent: SdkComponent.core,
      target,
      ...Object.fromEntries(Object.entries(fields).map(([name, json]) => [camelCase(name), parse(json)])),
      ...(spans.length > 0 && { spans }),
      [LogTimestamp]: timeUnixNs === undefined ? undefined : BigInt(timeUnixNs.toUnsigned().toString()),
    },
  };
}

function camelCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
