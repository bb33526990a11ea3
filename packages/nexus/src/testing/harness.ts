/** A runner with its answers kept, and requests made by hand. */
import { defaultDataConverter, type Logger, type LogLevel, type LogMetadata } from '@perdure/common';
import type { Request } from '@perdure/proto/temporal/api/nexus/v1/message';
import { NexusTask, NexusTaskCompletion } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import Long from 'long';
import { serviceHandler } from 'nexus-rpc';
import { NexusRunner, type NexusRunnerOptions } from '../runner';

export const text = new TextDecoder();

export class LineKeeper implements Logger {
  readonly lines: { level: LogLevel; message: string; meta: LogMetadata }[] = [];
  log(level: LogLevel, message: string, meta: LogMetadata = {}): void {
    this.lines.push({ level, message, meta });
  }
  trace = (message: string, meta?: LogMetadata) => this.log('TRACE', message, meta);
  debug = (message: string, meta?: LogMetadata) => this.log('DEBUG', message, meta);
  info = (message: string, meta?: LogMetadata) => this.log('INFO', message, meta);
  warn = (message: string, meta?: LogMetadata) => this.log('WARN', message, meta);
  error = (message: string, meta?: LogMetadata) => this.log('ERROR', message, meta);
}

/** A service whose operations are named as the keys of `handlers`. */
export function service(name: string, handlers: Record<string, any>) {
  const operations = Object.fromEntries(Object.keys(handlers).map((key) => [key, { name: key } as any]));
  return serviceHandler({ name, operations }, handlers);
}

export interface Harness {
  readonly runner: NexusRunner;
  readonly log: LineKeeper;
  readonly completions: NexusTaskCompletion[];
  /** Gives a request to the runner and waits for its answer. */
  ask(request: Request, more?: { deadline?: Date }): Promise<NexusTaskCompletion>;
  /** Gives a request to the runner. @returns its task token */
  give(request: Request, more?: { deadline?: Date }): Uint8Array;
  cancel(taskToken: Uint8Array, reason: 0 | 1): void;
}

export function harness(handlers: Record<string, any>, options: Partial<NexusRunnerOptions> = {}): Harness {
  const completions: NexusTaskCompletion[] = [];
  const log = new LineKeeper();
  let taken = 0;
  const runner = new NexusRunner({
    namespace: 'ns',
    taskQueue: 'queue',
    services: [service('svc', handlers)],
    dataConverter: defaultDataConverter,
    logger: log,
    hooks: { complete: async (bytes) => void completions.push(NexusTaskCompletion.decode(bytes)) },
    ...options,
  });
  const self: Harness = {
    runner,
    log,
    completions,
    give(request, { deadline } = {}) {
      const taskToken = new Uint8Array([++taken]);
      runner.handle(
        NexusTask.encode({
          task: { taskToken, request },
          endpoint: 'endpoint',
          requestDeadline: deadline && {
            seconds: Long.fromNumber(Math.floor(deadline.getTime() / 1000)),
            nanos: (deadline.getTime() % 1000) * 1e6,
          },
        }).finish(),
      );
      return taskToken;
    },
    async ask(request, more) {
      const token = self.give(request, more);
      await runner.idle();
      const found = completions.filter(({ taskToken }) => taskToken?.[0] === token[0]);
      if (found.length !== 1) throw new Error(`${found.length} completions for one task`);
      return found[0]!;
    },
    cancel(taskToken, reason) {
      runner.handle(NexusTask.encode({ cancelTask: { taskToken, reason } }).finish());
    },
  };
  return self;
}

export const start = (operation: string, input?: unknown, more: object = {}): Request => ({
  startOperation: {
    service: 'svc',
    operation,
    requestId: 'request-id',
    payload: input === undefined ? undefined : defaultDataConverter.payloadConverter.toPayload(input),
    ...more,
  },
});

export const cancel = (operation: string, operationToken: string): Request => ({
  cancelOperation: { service: 'svc', operation, operationToken },
});
