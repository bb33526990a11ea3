/** Drives a runner with real encoded tasks, and reads the real encoded answers. */
import type { LoadedDataConverter, Logger, LogLevel, LogMetadata, PayloadCodec } from '@perdure/common';
import { defaultDataConverter, defaultPayloadConverter } from '@perdure/common';
import { msToTs, optionalDateToTs } from '@perdure/common/lib/time';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import type { Cancel, Start } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityTask } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { ActivityHeartbeat, ActivityTaskCompletion } from '@perdure/proto/temporal/sdk/core/core_interface';
import type { ActivityRunnerOptions } from '../runner';
import { ActivityRunner } from '../runner';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly meta: LogMetadata;
}

/** A logger that keeps its lines. */
export class LineKeeper implements Logger {
  readonly lines: LogLine[] = [];
  log(level: LogLevel, message: string, meta: LogMetadata = {}): void {
    this.lines.push({ level, message, meta });
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

export const toPayload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
export const fromPayload = (payload: Payload | undefined): any =>
  defaultPayloadConverter.fromPayload(payload!);

/** A codec that puts every payload into an envelope; `mark` tells codecs apart, `delayMs` makes it slow. */
export function envelopeCodec(mark: string, delayMs = 0): PayloadCodec {
  const wait = () => new Promise((resolve) => setTimeout(resolve, delayMs));
  return {
    async encode(payloads) {
      await wait();
      return payloads.map((payload) => ({
        metadata: { encoding: Buffer.from(`envelope/${mark}`) },
        data: Buffer.from(JSON.stringify(encodeInner(payload))),
      }));
    },
    async decode(payloads) {
      await wait();
      return payloads.map((payload) => {
        const encoding = Buffer.from(payload.metadata?.encoding ?? []).toString();
        if (encoding !== `envelope/${mark}`) throw new Error(`not an envelope of ${mark}: ${encoding}`);
        return decodeInner(JSON.parse(Buffer.from(payload.data ?? []).toString()));
      });
    },
  };
}

type Inner = { metadata: Record<string, string>; data: string };

function encodeInner({ metadata = {}, data = new Uint8Array() }: Payload): Inner {
  const texts = Object.entries(metadata).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return { metadata: Object.fromEntries(texts), data: Buffer.from(data).toString('base64') };
}

function decodeInner({ metadata, data }: Inner): Payload {
  const bytes = Object.entries(metadata).map(([key, value]) => [
    key,
    new Uint8Array(Buffer.from(value, 'base64')),
  ]);
  return { metadata: Object.fromEntries(bytes), data: new Uint8Array(Buffer.from(data, 'base64')) };
}

export interface Harness {
  readonly runner: ActivityRunner;
  readonly log: LineKeeper;
  readonly heartbeats: Payload[][];
  /** In order of completion. */
  readonly completions: { token: string; result: ActivityExecutionResult }[];
  start(activityType: string, args?: unknown[], fields?: Start): string;
  startRaw(start: Start): string;
  cancel(token: string, cancel: Cancel): void;
  /** The completion of a started activity. */
  result(token: string): Promise<ActivityExecutionResult>;
  run(activityType: string, args?: unknown[], fields?: Start): Promise<ActivityExecutionResult>;
}

export function harness(
  activities: object,
  options: Partial<ActivityRunnerOptions> & { converter?: Partial<LoadedDataConverter> } = {},
): Harness {
  const log = new LineKeeper();
  const heartbeats: Payload[][] = [];
  const completions: { token: string; result: ActivityExecutionResult }[] = [];
  const waiting = new Map<string, (result: ActivityExecutionResult) => void>();
  let count = 0;
  const { converter, ...rest } = options;
  const runner = new ActivityRunner({
    namespace: 'ns',
    taskQueue: 'queue',
    activities,
    dataConverter: { ...defaultDataConverter, ...converter },
    logger: log,
    ...rest,
    hooks: {
      heartbeat: (bytes) => heartbeats.push(ActivityHeartbeat.decode(bytes).details ?? []),
      complete: async (bytes) => {
        const { taskToken, result = {} } = ActivityTaskCompletion.decode(bytes);
        const token = Buffer.from(taskToken!).toString();
        completions.push({ token, result });
        waiting.get(token)?.(result);
      },
      ...rest.hooks,
    },
  });
  const self: Harness = {
    runner,
    log,
    heartbeats,
    completions,
    startRaw(start) {
      const token = `token-${++count}`;
      runner.handle(ActivityTask.encode({ taskToken: Buffer.from(token), start }).finish());
      return token;
    },
    start: (activityType, args = [], fields = {}) =>
      self.startRaw({
        workflowNamespace: 'ns',
        workflowType: 'flow',
        workflowExecution: { workflowId: 'wf', runId: 'run' },
        activityId: '7',
        activityType,
        attempt: 1,
        input: args.map(toPayload),
        scheduledTime: optionalDateToTs(new Date(1000)),
        currentAttemptScheduledTime: optionalDateToTs(new Date(2000)),
        startToCloseTimeout: msToTs('10s'),
        scheduleToCloseTimeout: msToTs('1m'),
        heartbeatTimeout: msToTs('5s'),
        ...fields,
      }),
    cancel(token, cancel) {
      runner.handle(ActivityTask.encode({ taskToken: Buffer.from(token), cancel }).finish());
    },
    result(token) {
      const present = completions.find((completion) => completion.token === token);
      if (present !== undefined) return Promise.resolve(present.result);
      return new Promise((resolve) => waiting.set(token, resolve));
    },
    run: (activityType, args, fields) => self.result(self.start(activityType, args, fields)),
  };
  return self;
}
