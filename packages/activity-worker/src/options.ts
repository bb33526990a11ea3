/**
 * The options that every activity-only worker has, and their resolved form.
 *
 * Owns    names, units, defaults, checks. Names and defaults are those of `WorkerOptions` of @perdure/worker.
 * O1  Every default is in `resolveOptions`; all problems are told in one error.
 */
import { hostname } from 'node:os';
import type { ActivityInterceptorsFactory, ActivitySource } from '@perdure/activity/runner';
import { collectActivities } from '@perdure/activity/runner';
import type {
  DataConverter,
  Duration,
  LoadedDataConverter,
  Logger,
  MetricMeter,
  WorkerDeploymentVersion,
} from '@perdure/common';
import { noopMetricMeter } from '@perdure/common';
import { loadDataConverter } from '@perdure/common/lib/internal-non-workflow';
import { msToNumber } from '@perdure/common/lib/time';
import { ActivityWorkerOptionsError } from './errors';
import { stderrLogger } from './stderr-logger';

/** Options of an activity-only worker, whatever its tasks come through. */
export interface CommonActivityWorkerOptions {
  /** Task queue to poll. */
  taskQueue: string;
  /** Functions by name: an object, a class instance or a Map; `default` catches unknown names. */
  activities: ActivitySource;
  /** (='default') */
  namespace?: string;
  /** Shown in histories. (=pid@hostname) */
  identity?: string;
  /** How values become payloads. */
  dataConverter?: DataConverter;
  /** The first one is the outermost. (=none) */
  interceptors?: readonly ActivityInterceptorsFactory[];
  /** (=lines of INFO and above on stderr) */
  logger?: Logger;
  /** (=one that records nothing) */
  metricMeter?: MetricMeter;
  /** Activities that run at the same time. (=100) */
  maxConcurrentActivityTaskExecutions?: number;
  /** Polls that wait at the server at the same time. (=10, at most as many as executions) */
  maxConcurrentActivityTaskPolls?: number;
  /** Limit of this worker. (=unlimited) */
  maxActivitiesPerSecond?: number;
  /** Limit of the task queue, kept by the server; the worker that polled last decides. (=unlimited) */
  maxTaskQueueActivitiesPerSecond?: number;
  /** Longest time between two heartbeats to the server. (=60s) */
  maxHeartbeatThrottleInterval?: Duration;
  /** Time between two heartbeats of an activity without heartbeat timeout; else it is 0.8 of that. (=30s) */
  defaultHeartbeatThrottleInterval?: Duration;
  /** Wait before running activities are cancelled at shutdown. (=0) */
  shutdownGraceTime?: Duration;
  /** After it what still runs is answered as failed, and `run` rejects. (=never) */
  shutdownForceTime?: Duration;
  /** Signals of the process that shut the worker down while it runs. (=SIGINT, SIGTERM, SIGQUIT, SIGUSR2) */
  shutdownSignals?: readonly NodeJS.Signals[];
  /** Version of this worker, and whether the server routes by it. Excludes `buildId`. (=none) */
  workerDeploymentOptions?: { version: WorkerDeploymentVersion; useWorkerVersioning: boolean };
  /** Only reported. (=none) */
  buildId?: string;
  /** True lets payloads of any size go to the server. (=false) */
  disablePayloadErrorLimit?: boolean;
}

/** {@link CommonActivityWorkerOptions} with every default applied, durations in milliseconds. */
export interface ResolvedOptions {
  readonly taskQueue: string;
  readonly activities: ActivitySource;
  readonly namespace: string;
  readonly identity: string;
  readonly dataConverter: LoadedDataConverter;
  readonly interceptors: readonly ActivityInterceptorsFactory[];
  readonly logger: Logger;
  readonly metricMeter: MetricMeter;
  readonly maxConcurrentActivityTaskExecutions: number;
  readonly maxConcurrentActivityTaskPolls: number;
  /** 0: unlimited. */
  readonly maxActivitiesPerSecond: number;
  /** 0: unlimited. */
  readonly maxTaskQueueActivitiesPerSecond: number;
  readonly maxHeartbeatThrottleIntervalMs: number;
  readonly defaultHeartbeatThrottleIntervalMs: number;
  readonly shutdownGraceTimeMs: number;
  readonly shutdownForceTimeMs: number | undefined;
  readonly shutdownSignals: readonly NodeJS.Signals[];
  readonly workerDeploymentOptions: CommonActivityWorkerOptions['workerDeploymentOptions'];
  readonly buildId: string | undefined;
  readonly disablePayloadErrorLimit: boolean;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2'];

/** Gives what a field takes when `value` is not that, else undefined. */
export type Check = (value: any) => string | undefined;
export const accepts =
  (test: (value: any) => boolean, words: string): Check =>
  (value) =>
    test(value) ? undefined : words;
export const text = accepts((v) => typeof v === 'string' && v !== '', 'a non-empty text');
export const object = accepts((v) => typeof v === 'object' && v !== null, 'an object');
const count = accepts((v) => Number.isSafeInteger(v) && v >= 1, 'a whole number of at least 1');
const rate = accepts((v) => typeof v === 'number' && v > 0 && Number.isFinite(v), 'a number above 0');
const flag = accepts((v) => typeof v === 'boolean', 'true or false');
export const duration = accepts((v) => {
  try {
    const ms = msToNumber(v);
    return Number.isFinite(ms) && ms >= 0;
  } catch {
    return false;
  }
}, 'a duration (milliseconds, or a text such as "10s")');
const listOf = (test: (value: any) => boolean, words: string): Check =>
  accepts((v) => Array.isArray(v) && v.every(test), words);

const CHECKS: Readonly<Record<keyof CommonActivityWorkerOptions, Check>> = {
  taskQueue: text,
  activities: (value) => {
    if (object(value) !== undefined) return object(value);
    try {
      return collectActivities(value).size > 0 ? undefined : 'an object with at least one function';
    } catch (error) {
      return `functions by name (${(error as Error).message})`;
    }
  },
  namespace: text,
  identity: text,
  dataConverter: object,
  interceptors: listOf((v) => typeof v === 'function', 'an array of functions that make interceptors'),
  logger: accepts((v) => typeof v?.log === 'function' && typeof v?.info === 'function', 'a logger'),
  metricMeter: accepts((v) => typeof v?.createCounter === 'function', 'a metric meter'),
  maxConcurrentActivityTaskExecutions: count,
  maxConcurrentActivityTaskPolls: count,
  maxActivitiesPerSecond: rate,
  maxTaskQueueActivitiesPerSecond: rate,
  maxHeartbeatThrottleInterval: duration,
  defaultHeartbeatThrottleInterval: duration,
  shutdownGraceTime: duration,
  shutdownForceTime: duration,
  shutdownSignals: listOf(
    (v) => typeof v === 'string' && v.startsWith('SIG'),
    'an array of names of signals',
  ),
  workerDeploymentOptions: accepts(
    (v) =>
      typeof v?.useWorkerVersioning === 'boolean' &&
      text(v?.version?.deploymentName) === undefined &&
      text(v?.version?.buildId) === undefined,
    'an object with version.deploymentName, version.buildId and useWorkerVersioning',
  ),
  buildId: text,
  disablePayloadErrorLimit: flag,
};

/**
 * @param more  checks of the options that only one kind of worker has
 * @throws {ActivityWorkerOptionsError} with all problems
 */
export function resolveOptions(
  given: CommonActivityWorkerOptions,
  more: Readonly<Record<string, Check>>,
): ResolvedOptions {
  const problems: string[] = [];
  const checks: Readonly<Record<string, Check>> = { ...CHECKS, ...more };
  const fields = new Map<string, unknown>(Object.entries({ ...given }));
  for (const required of ['taskQueue', 'activities'])
    if (!fields.has(required)) fields.set(required, undefined);
  for (const [field, value] of fields) {
    if (value === undefined && field !== 'taskQueue' && field !== 'activities') continue;
    const check = Object.hasOwn(checks, field) ? checks[field] : undefined;
    if (check === undefined) {
      problems.push(`${field}: unknown option; known are ${Object.keys(checks).sort().join(', ')}`);
      continue;
    }
    const accepted = check(value);
    if (accepted !== undefined) problems.push(`${field}: got ${show(value)}, takes ${accepted}`);
  }
  if (given?.workerDeploymentOptions !== undefined && given.buildId !== undefined) {
    problems.push('buildId: not together with workerDeploymentOptions, which names one');
  }
  if (problems.length > 0) throw new ActivityWorkerOptionsError(problems);
  const {
    taskQueue,
    activities,
    namespace = 'default',
    identity = `${process.pid}@${hostname()}`,
    dataConverter = {},
    interceptors = [],
    logger = stderrLogger,
    metricMeter = noopMetricMeter,
    maxConcurrentActivityTaskExecutions = 100,
    maxConcurrentActivityTaskPolls = 10,
    maxActivitiesPerSecond = 0,
    maxTaskQueueActivitiesPerSecond = 0,
    maxHeartbeatThrottleInterval = '60s',
    defaultHeartbeatThrottleInterval = '30s',
    shutdownGraceTime = 0,
    shutdownForceTime,
    shutdownSignals = SIGNALS,
    workerDeploymentOptions,
    buildId,
    disablePayloadErrorLimit = false,
  } = given; // O1
  return Object.freeze({
    taskQueue,
    activities,
    namespace,
    identity,
    dataConverter: loadDataConverter(dataConverter),
    interceptors,
    logger,
    metricMeter,
    maxConcurrentActivityTaskExecutions,
    maxConcurrentActivityTaskPolls: Math.min(
      maxConcurrentActivityTaskPolls,
      maxConcurrentActivityTaskExecutions,
    ),
    maxActivitiesPerSecond,
    maxTaskQueueActivitiesPerSecond,
    maxHeartbeatThrottleIntervalMs: msToNumber(maxHeartbeatThrottleInterval),
    defaultHeartbeatThrottleIntervalMs: msToNumber(defaultHeartbeatThrottleInterval),
    shutdownGraceTimeMs: msToNumber(shutdownGraceTime),
    shutdownForceTimeMs: shutdownForceTime === undefined ? undefined : msToNumber(shutdownForceTime),
    shutdownSignals,
    workerDeploymentOptions,
    buildId,
    disablePayloadErrorLimit,
  });
}

/** A value in an error message: short, and never an exception. */
function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return `${value}`;
  return Array.isArray(value)
    ? 'an array'
    : `a${typeof value === 'object' ? 'n object' : ` ${typeof value}`}`;
}
