/**
 * Options of a worker: their types, their checks, their defaults.
 *
 * O1  All problems are reported in one error (options-check.ts); nothing is started before all checks have passed.
 * O2  Defaults are here and nowhere else; the native side gets every field set.
 * O3  Durations are milliseconds from here on.
 */
import { availableParallelism, hostname } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { ActivityInterceptorsFactory, ActivitySource } from '@perdure/activity/runner';
import type { ClientInterceptors } from '@perdure/client';
import type {
  DataConverter,
  Duration,
  Logger,
  VersioningBehavior,
  WorkerDeploymentVersion,
} from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import type { NexusInterceptorsFactory } from '@perdure/nexus/runner';
import type { WorkflowInfo } from '@perdure/workflow';
import type * as nexus from 'nexus-rpc';
import type { BundlerOptions, WorkflowBundleOption } from './bundle-options';
import type { NativeConnection } from './connection';
import type { ActivityInboundCallsInterceptorFactory } from './older-names';
import type { Check } from './options-check';
import {
  anyFunction,
  anyObject,
  arrayOf,
  describe,
  duration,
  flag,
  integer,
  numberBetween,
  OptionsCheck,
  oneOf,
  positiveNumber,
  text,
} from './options-check';
import type { WorkerPlugin } from './plugins';
import { type InjectedSinks, LOGGER_SINK } from './sinks';
import type { TunerHolder, WorkerTuner } from './tuner';
import { checkTuner } from './tuner';
import type { WatchWorkflowsOptions } from './workflow-watch';

/** How many polls are open at a time. */
export type PollerBehavior =
  | {
      readonly type: 'simple-maximum';
      /** (=the field's own default) */
      readonly maximum?: number;
    }
  | {
      readonly type: 'autoscaling';
      /** (=1) */
      readonly minimum?: number;
      /** (=5) */
      readonly initial?: number;
      /** (=100) */
      readonly maximum?: number;
    };

/** Which version of which deployment this worker is. `defaultVersioningBehavior` is required with versioning on. */
export type WorkerDeploymentOptions = {
  version: WorkerDeploymentVersion;
  useWorkerVersioning: boolean;
  defaultVersioningBehavior?: VersioningBehavior;
};

/** Input of {@link PatchActivationCallback}. */
export interface PatchActivationInput {
  readonly workflowInfo: Readonly<WorkflowInfo>;
  readonly patchId: string;
}

/**
 * Decides whether the first `patched()` of an execution activates the patch: false leaves the old branch to it, and no
 * marker in its history. Not asked during replay, about patches that the history knows, or for `deprecatePatch`. Its
 * answer is kept for as long as the execution stays in memory. Called on the worker's thread, while the workflow waits:
 * it has to be quick, synchronous, and must give true or false. What it throws fails the workflow task.
 */
export type PatchActivationCallback = (input: PatchActivationInput) => boolean;

/** Names of errors that fail a workflow instead of its task. */
export type WorkflowFailureErrorType =
  | 'NondeterminismError'
  | 'DeterminismViolationError'
  | 'Error'
  | (string & {});

/** Interceptors of a worker. */
export interface WorkerInterceptors {
  /** For `Worker.client`. */
  client?: ClientInterceptors;
  /** Called for each activity execution, in order. */
  activity?: ActivityInterceptorsFactory[];
  /** Called for each Nexus operation, in order. */
  nexus?: NexusInterceptorsFactory[];
  /** Modules that export `interceptors`, bundled into the sandbox; not used with `workflowBundle`. */
  workflowModules?: string[];
  /** Come before those of `activity`. @deprecated use `activity` */
  activityInbound?: ActivityInboundCallsInterceptorFactory[];
}

/** Options of `Worker.create`. */
export interface WorkerOptions {
  /** (=a new connection to localhost:7233) */
  connection?: NativeConnection;
  /** Shown in histories. (=pid@hostname) */
  identity?: string;
  workerDeploymentOptions?: WorkerDeploymentOptions;
  /** (='default') */
  namespace?: string;
  taskQueue: string;
  /** Functions by name: an object, a class instance or a Map; `default` catches unknown names. */
  activities?: object;
  patchActivationCallback?: PatchActivationCallback;
  /** What `serviceHandler` of nexus-rpc made, one of each service. */
  nexusServices?: nexus.ServiceHandler<any>[];
  /** Module whose exports are workflows, bundled by `create`; its `default` export catches unknown types. */
  workflowsPath?: string;
  /** What `bundleWorkflowCode` made, in memory (`code`) or in a file (`codePath`); wins over `workflowsPath`. */
  workflowBundle?: WorkflowBundleOption;
  /** Wait before running activities are cancelled at shutdown. (=0) */
  shutdownGraceTime?: Duration;
  /** After this time from the start of shutdown `run` fails. (=never) */
  shutdownForceTime?: Duration;
  dataConverter?: DataConverter;
  /** Excludes the three `maxConcurrent…Executions` options of its kinds. */
  tuner?: WorkerTuner;
  /** (=100) */
  maxConcurrentActivityTaskExecutions?: number;
  /** (=100) */
  maxConcurrentLocalActivityExecutions?: number;
  /** (=100) */
  maxConcurrentNexusTaskExecutions?: number;
  /** False: local activities only. (=true) */
  enableNonLocalActivities?: boolean;
  /** True: payloads that are too large go to the server all the same. (=false) */
  disablePayloadErrorLimit?: boolean;
  /** Of this worker. (=unlimited) */
  maxActivitiesPerSecond?: number;
  /** Of the whole task queue, kept by the server. (=unlimited) */
  maxTaskQueueActivitiesPerSecond?: number;
  /** 0 switches eager activities off. (=3) */
  maxEagerActivityReservationsPerWorkflowTask?: number;
  /** (=40) */
  maxConcurrentWorkflowTaskExecutions?: number;
  /** Share of workflow pollers on the shared queue. (=0.2) */
  nonStickyToStickyPollRatio?: number;
  /** (=min(10, executions)) */
  maxConcurrentWorkflowTaskPolls?: number;
  workflowTaskPollerBehavior?: PollerBehavior;
  activityTaskPollerBehavior?: PollerBehavior;
  nexusTaskPollerBehavior?: PollerBehavior;
  /** (=min(10, executions)) */
  maxConcurrentActivityTaskPolls?: number;
  /** (=min(10, executions)) */
  maxConcurrentNexusTaskPolls?: number;
  /** After it a task goes back to the shared queue. (=10 s) */
  stickyQueueScheduleToStartTimeout?: Duration;
  /** Open workflows kept in memory. (=by heap limit, some thousands) */
  maxCachedWorkflows?: number;
  /** Lanes wanted; all workers of a process share theirs, so the largest wish counts. (=1) */
  workflowThreadPoolSize?: number;
  /**
   * Where workflows run: on threads of this process, or each lane in a process of its own, for code that one does not
   * trust: whatever a workflow allocates then ends no more than its lane. (='thread')
   */
  lanes?: 'thread' | 'process';
  /** (=60 s) */
  maxHeartbeatThrottleInterval?: Duration;
  /** Used without a heartbeat timeout; with one it is 0.8 of it. (=30 s) */
  defaultHeartbeatThrottleInterval?: Duration;
  interceptors?: WorkerInterceptors;
  plugins?: WorkerPlugin[];
  /** Functions of this process that workflows may call without waiting for them. */
  sinks?: InjectedSinks<any>;
  /** Workflow type, or '*' for all, to names of errors that fail the workflow instead of its task. */
  workflowFailureErrorTypes?: Record<string, WorkflowFailureErrorType[]>;
  /** (=false) */
  showStackTraceSources?: boolean;
  /** Workflows run on the main thread, without a time limit. (=whether TEMPORAL_DEBUG is set) */
  debugMode?: boolean;
  /** False: a fresh context for each run. (=true) */
  reuseV8Context?: boolean;
  bundlerOptions?: BundlerOptions;
  /**
   * Directory with the modules or folders `workflows` and `activities` (work-dir.ts says which files count). What
   * `workflowsPath`, `workflowBundle` and `activities` name wins over what is found there.
   * @deprecated use `workflowsPath` and `activities`
   */
  workDir?: string;
  /** @deprecated use `bundlerOptions.nodeModulesPaths` */
  nodeModulesPaths?: string[];
  /**
   * For development: changed workflow code is picked up while the worker runs. Workflows in memory are evicted and
   * replayed on the new code; open ones that it does not fit are named in the log. Needs `workflowsPath`. (=false)
   */
  watchWorkflows?: boolean | WatchWorkflowsOptions;
  /** @deprecated use `workerDeploymentOptions` */
  buildId?: string;
  /** @deprecated use `workerDeploymentOptions` */
  useVersioning?: boolean;
  /** @deprecated ignored */
  enableSDKTracing?: boolean;
}

/** Options of replay: those of a worker that make sense without a server. */
export interface ReplayWorkerOptions
  extends Omit<
    WorkerOptions,
    | 'connection'
    | 'namespace'
    | 'taskQueue'
    | 'activities'
    | 'nexusServices'
    | 'tuner'
    | 'maxConcurrentActivityTaskExecutions'
    | 'maxConcurrentLocalActivityExecutions'
    | 'maxConcurrentNexusTaskExecutions'
    | 'maxConcurrentWorkflowTaskExecutions'
    | 'maxConcurrentActivityTaskPolls'
    | 'maxConcurrentWorkflowTaskPolls'
    | 'maxConcurrentNexusTaskPolls'
    | 'maxCachedWorkflows'
    | 'watchWorkflows'
    | 'workDir'
    | 'useVersioning'
  > {
  /** Name of the task queue that the replay pretends to have. (='fake_replay_queue') */
  replayName?: string;
}

/** Poller counts, resolved. */
export type ResolvedPollers =
  | { readonly kind: 'fixed'; readonly count: number }
  | {
      readonly kind: 'autoscaling';
      readonly minimum: number;
      readonly maximum: number;
      readonly initial: number;
    };

/** Interceptors, resolved. */
export interface CompiledWorkerInterceptors {
  readonly client: ClientInterceptors | undefined;
  readonly activity: readonly ActivityInterceptorsFactory[];
  readonly nexus: readonly NexusInterceptorsFactory[];
  readonly workflowModules: readonly string[];
}

/** Every field set, durations in milliseconds. */
export interface CompiledWorkerOptions {
  readonly identity: string;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly activities: ActivitySource | undefined;
  readonly nexusServices: readonly nexus.ServiceHandler<any>[];
  readonly workflowsPath: string | undefined;
  readonly workflowBundle: WorkflowBundleOption | undefined;
  readonly shutdownGraceTimeMs: number;
  readonly shutdownForceTimeMs: number | undefined;
  readonly dataConverter: DataConverter;
  readonly tuner: WorkerTuner;
  readonly enableNonLocalActivities: boolean;
  readonly disablePayloadErrorLimit: boolean;
  /** 0: unlimited. */
  readonly maxActivitiesPerSecond: number;
  /** 0: unlimited. */
  readonly maxTaskQueueActivitiesPerSecond: number;
  readonly maxEagerActivityReservationsPerWorkflowTask: number;
  readonly nonStickyToStickyPollRatio: number;
  readonly workflowPollers: ResolvedPollers;
  readonly activityPollers: ResolvedPollers;
  readonly nexusPollers: ResolvedPollers;
  readonly stickyQueueScheduleToStartTimeoutMs: number;
  readonly maxCachedWorkflows: number;
  /** Undefined: no wish. */
  readonly workflowThreadPoolSize: number | undefined;
  readonly lanes: 'thread' | 'process';
  readonly maxHeartbeatThrottleIntervalMs: number;
  readonly defaultHeartbeatThrottleIntervalMs: number;
  readonly interceptors: CompiledWorkerInterceptors;
  readonly plugins: readonly WorkerPlugin[];
  readonly sinks: InjectedSinks<any>;
  /** Histories are replayed; nothing runs. */
  readonly replays?: boolean;
  readonly patchActivationCallback: PatchActivationCallback | undefined;
  readonly workflowFailureErrorTypes: Readonly<Record<string, readonly string[]>>;
  readonly showStackTraceSources: boolean;
  readonly debugMode: boolean;
  readonly reuseV8Context: boolean;
  readonly bundlerOptions: BundlerOptions;
  /** Undefined: code is not watched. */
  readonly watchWorkflows: (WatchWorkflowsOptions & { readonly replayOpenWorkflows: number }) | undefined;
  readonly workerDeploymentOptions: WorkerDeploymentOptions | undefined;
  readonly buildId: string | undefined;
  readonly useVersioning: boolean;
  readonly logger: Logger;
}

const RESERVED_PREFIX = '__temporal_';
const DEFAULT_REPLAY_NAME = 'fake_replay_queue';

const pollerBehavior: Check = (value) => {
  const accepted =
    '{ type: "simple-maximum", maximum? } or { type: "autoscaling", minimum?, initial?, maximum? }';
  if (typeof value !== 'object' || value === null) return accepted;
  const { type, minimum, initial, maximum, ...rest } = value as Record<string, unknown>;
  const count = (n: unknown) => n === undefined || integer(1)(n) === undefined;
  if (Object.keys(rest).length > 0 || !count(minimum) || !count(initial) || !count(maximum)) return accepted;
  return type === 'autoscaling' ||
    (type === 'simple-maximum' && minimum === undefined && initial === undefined)
    ? undefined
    : accepted;
};

const executions = integer(1, 1_000_000);
const polls = integer(1, 10_000);

/** Every known option with what it takes. */
const CHECKS: Readonly<Record<keyof WorkerOptions, Check>> = {
  connection: anyObject,
  identity: text,
  workerDeploymentOptions: anyObject,
  namespace: text,
  taskQueue: text,
  activities: anyObject,
  patchActivationCallback: anyFunction,
  nexusServices: arrayOf(anyObject, 'an array of service handlers'),
  workflowsPath: text,
  workflowBundle: anyObject,
  shutdownGraceTime: duration(),
  shutdownForceTime: duration(),
  dataConverter: anyObject,
  tuner: anyObject,
  maxConcurrentActivityTaskExecutions: executions,
  maxConcurrentLocalActivityExecutions: executions,
  maxConcurrentNexusTaskExecutions: executions,
  enableNonLocalActivities: flag,
  disablePayloadErrorLimit: flag,
  maxActivitiesPerSecond: positiveNumber,
  maxTaskQueueActivitiesPerSecond: positiveNumber,
  maxEagerActivityReservationsPerWorkflowTask: integer(0, 10_000),
  maxConcurrentWorkflowTaskExecutions: executions,
  nonStickyToStickyPollRatio: numberBetween(0, 1),
  maxConcurrentWorkflowTaskPolls: polls,
  workflowTaskPollerBehavior: pollerBehavior,
  activityTaskPollerBehavior: pollerBehavior,
  nexusTaskPollerBehavior: pollerBehavior,
  maxConcurrentActivityTaskPolls: polls,
  maxConcurrentNexusTaskPolls: polls,
  stickyQueueScheduleToStartTimeout: duration(),
  maxCachedWorkflows: integer(0, 10_000_000),
  workflowThreadPoolSize: integer(1, 256),
  lanes: oneOf('thread', 'process'),
  maxHeartbeatThrottleInterval: duration(),
  defaultHeartbeatThrottleInterval: duration(),
  interceptors: anyObject,
  plugins: arrayOf(anyObject, 'an array of plugins'),
  sinks: anyObject,
  workflowFailureErrorTypes: anyObject,
  showStackTraceSources: flag,
  debugMode: flag,
  reuseV8Context: flag,
  bundlerOptions: anyObject,
  workDir: text,
  nodeModulesPaths: arrayOf(text, 'an array of paths'),
  watchWorkflows: (value) =>
    typeof value === 'boolean' || anyObject(value) === undefined ? undefined : 'true, false or an object',
  buildId: text,
  useVersioning: flag,
  enableSDKTracing: flag,
};

const INTERCEPTOR_CHECKS: Readonly<Record<keyof WorkerInterceptors, Check>> = {
  client: anyObject,
  activity: arrayOf(anyFunction, 'an array of functions'),
  nexus: arrayOf(anyFunction, 'an array of functions'),
  workflowModules: arrayOf(text, 'an array of module names'),
  activityInbound: arrayOf(anyFunction, 'an array of functions'),
};

const BUNDLER_CHECKS: Readonly<Record<keyof BundlerOptions, Check>> = {
  webpackConfigHook: anyFunction,
  ignoreModules: arrayOf(text, 'an array of module names'),
  preloadModules: arrayOf(text, 'an array of module names'),
  nodeModulesPaths: arrayOf(text, 'an array of paths'),
};

const WATCH_CHECKS: Readonly<Record<keyof WatchWorkflowsOptions, Check>> = {
  replayOpenWorkflows: integer(0, 10_000),
  onReload: anyFunction,
  onReplay: anyFunction,
};

const DATA_CONVERTER_CHECKS: Readonly<Record<string, Check>> = {
  payloadConverterPath: text,
  failureConverterPath: text,
  payloadCodecs: arrayOf(anyObject, 'an array of codecs'),
  externalStorage: anyObject,
};

/** What only replay knows or does not know. */
const REPLAY_CHECKS: Readonly<Record<string, Check>> = (() => {
  const {
    connection,
    namespace,
    taskQueue,
    activities,
    nexusServices,
    tuner,
    maxConcurrentActivityTaskExecutions,
    maxConcurrentLocalActivityExecutions,
    maxConcurrentNexusTaskExecutions,
    maxConcurrentWorkflowTaskExecutions,
    maxConcurrentActivityTaskPolls,
    maxConcurrentWorkflowTaskPolls,
    maxConcurrentNexusTaskPolls,
    maxCachedWorkflows,
    watchWorkflows,
    workDir,
    useVersioning,
    ...kept
  } = CHECKS;
  return { ...kept, replayName: text };
})();

function checkCommon(check: OptionsCheck, options: Partial<WorkerOptions>): void {
  if (options.workflowBundle !== undefined && anyObject(options.workflowBundle) === undefined) {
    const { code, codePath } = options.workflowBundle as { code?: unknown; codePath?: unknown };
    if (text(code) !== undefined && text(codePath) !== undefined) {
      check.add('workflowBundle', 'got neither code nor codePath, takes { code } or { codePath }');
    }
  }
  if (typeof options.watchWorkflows === 'object' && options.watchWorkflows !== null) {
    check.object('watchWorkflows', options.watchWorkflows, WATCH_CHECKS);
  }
  if (options.watchWorkflows && options.workflowsPath === undefined) {
    check.add(
      'watchWorkflows',
      'needs workflowsPath: a bundle that was made beforehand has no files to watch',
    );
  }
  if (options.interceptors !== undefined)
    check.object('interceptors', options.interceptors, INTERCEPTOR_CHECKS);
  if (options.bundlerOptions !== undefined) {
    check.object('bundlerOptions', options.bundlerOptions, BUNDLER_CHECKS);
    if (options.bundlerOptions?.webpackConfigHook !== undefined) {
      check.add(
        'bundlerOptions.webpackConfigHook',
        'bundles are not made by webpack: there is no config to change',
      );
    }
  }
  if (options.dataConverter !== undefined) {
    check.object('dataConverter', options.dataConverter, DATA_CONVERTER_CHECKS);
  }
  checkSinks(check, options.sinks);
  checkFailureTypes(check, options.workflowFailureErrorTypes);
  checkNexusServices(check, options.nexusServices);
  const deployment = options.workerDeploymentOptions;
  if (deployment !== undefined) {
    check.object('workerDeploymentOptions', deployment, {
      version: anyObject,
      useWorkerVersioning: flag,
      defaultVersioningBehavior: oneOf('PINNED', 'AUTO_UPGRADE'),
    });
    if (anyObject(deployment) === undefined) {
      if (deployment.version === undefined) check.add('workerDeploymentOptions.version', 'is required');
      else {
        check.object('workerDeploymentOptions.version', deployment.version, {
          buildId: text,
          deploymentName: text,
        });
        if (deployment.version?.buildId === undefined)
          check.add('workerDeploymentOptions.version.buildId', 'is required');
        if (deployment.version?.deploymentName === undefined) {
          check.add('workerDeploymentOptions.version.deploymentName', 'is required');
        }
      }
      if (deployment.useWorkerVersioning === undefined) {
        check.add('workerDeploymentOptions.useWorkerVersioning', 'is required');
      } else if (deployment.useWorkerVersioning && deployment.defaultVersioningBehavior === undefined) {
        check.add(
          'workerDeploymentOptions.defaultVersioningBehavior',
          'is required when useWorkerVersioning is true',
        );
      }
    }
    if (options.buildId !== undefined) check.add('buildId', 'is excluded by workerDeploymentOptions');
    if (options.useVersioning !== undefined)
      check.add('useVersioning', 'is excluded by workerDeploymentOptions');
  } else if (options.useVersioning && options.buildId === undefined) {
    check.add('buildId', 'is required when useVersioning is true');
  }
}

function checkNexusServices(check: OptionsCheck, services: unknown): void {
  if (!Array.isArray(services)) return;
  const names = new Set<unknown>();
  services.forEach((service: any, index) => {
    const name: unknown = service?.definition?.name;
    if (text(name) !== undefined || anyFunction(service.getOperationHandler) !== undefined) {
      check.add(
        `nexusServices[${index}]`,
        `got ${describe(service)}, takes what serviceHandler of nexus-rpc made`,
      );
    } else if (names.has(name)) {
      check.add(`nexusServices[${index}]`, `the service ${describe(name)} is there already`);
    }
    names.add(name);
  });
}

function checkPolls(check: OptionsCheck, options: WorkerOptions): void {
  for (const name of [
    'workflowTaskPollerBehavior',
    'activityTaskPollerBehavior',
    'nexusTaskPollerBehavior',
  ] as const) {
    const behavior = options[name];
    if (behavior?.type !== 'autoscaling') continue;
    const { minimum = 1, maximum = 100, initial = Math.min(Math.max(5, minimum), maximum) } = behavior;
    if (minimum > maximum) check.add(`${name}.minimum`, `got ${minimum}, takes at most maximum, ${maximum}`);
    else if (initial < minimum || initial > maximum) {
      check.add(`${name}.initial`, `got ${initial}, takes a number from minimum to maximum`);
    }
  }
  if (options.maxCachedWorkflows === 0) return;
  const accepted =
    'takes at least 2, one for the sticky queue and one for the shared one, unless maxCachedWorkflows is 0';
  for (const name of ['maxConcurrentWorkflowTaskPolls', 'maxConcurrentWorkflowTaskExecutions'] as const) {
    if (options[name] === 1) check.add(name, `got 1, ${accepted}`);
  }
  const { workflowTaskPollerBehavior: behavior, tuner } = options;
  if (behavior?.type === 'simple-maximum' && behavior.maximum === 1) {
    check.add('workflowTaskPollerBehavior.maximum', `got 1, ${accepted}`);
  }
  const supplier = (tuner as TunerHolder | undefined)?.workflowTaskSlotSupplier;
  if (supplier?.type === 'fixed-size' && supplier.numSlots === 1) {
    check.add('tuner.workflowTaskSlotSupplier.numSlots', `got 1, ${accepted}`);
  }
}

function checkSinks(check: OptionsCheck, sinks: unknown): void {
  if (typeof sinks !== 'object' || sinks === null) return;
  for (const [sinkName, sink] of Object.entries(sinks)) {
    if (sinkName.startsWith(RESERVED_PREFIX) && sinkName !== LOGGER_SINK) {
      check.add(`sinks.${sinkName}`, `is a reserved name: names may not begin with ${RESERVED_PREFIX}`);
    }
    for (const [fnName, entry] of Object.entries(sink ?? {})) {
      const field = `sinks.${sinkName}.${fnName}`;
      check.object(field, entry, { fn: anyFunction, callDuringReplay: flag });
      if ((entry as { fn?: unknown } | null)?.fn === undefined) check.add(`${field}.fn`, 'is required');
    }
  }
}

function checkFailureTypes(check: OptionsCheck, types: unknown): void {
  if (typeof types !== 'object' || types === null) return;
  for (const [workflowType, names] of Object.entries(types)) {
    check.value(
      `workflowFailureErrorTypes.${workflowType}`,
      names,
      arrayOf(text, 'an array of names of error classes'),
    );
  }
}

function resolvePollers(
  behavior: PollerBehavior | undefined,
  maximum: number | undefined,
  fallback: number,
): ResolvedPollers {
  if (behavior?.type === 'autoscaling') {
    const { minimum = 1, maximum: most = 100 } = behavior;
    const { initial = Math.min(Math.max(5, minimum), most) } = behavior;
    return { kind: 'autoscaling', minimum, initial, maximum: most };
  }
  return { kind: 'fixed', count: behavior?.maximum ?? maximum ?? fallback };
}

/** Open workflows that fit well into the heap of a lane: a quarter megabyte each, beyond what every lane needs. */
function defaultCachedWorkflows(): number {
  const heapMiB = getHeapStatistics().heap_size_limit / 2 ** 20;
  return Math.min(20_000, Math.max(100, Math.floor((heapMiB - 200) * 4)));
}

/** pid@hostname. */
export function defaultIdentity(): string {
  return `${process.pid}@${hostname()}`;
}

/** Lanes of a pool that nobody has asked to be larger. */
export function defaultLaneCount(): number {
  return Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));
}

/**
 * Checks and completes the options of a worker.
 * @throws {InvalidOptionsError} with all problems
 */
export function compileWorkerOptions(options: WorkerOptions, logger: Logger): CompiledWorkerOptions {
  const check = new OptionsCheck('WorkerOptions');
  check.object('', options, CHECKS);
  if (typeof options === 'object' && options !== null) {
    if (options.taskQueue === undefined) check.add('taskQueue', 'is required, takes a non-empty text');
    else if (String(options.taskQueue).startsWith(RESERVED_PREFIX)) {
      check.add('taskQueue', `got a reserved name: names may not begin with ${RESERVED_PREFIX}`);
    }
    if (
      options.activities === undefined &&
      options.workflowsPath === undefined &&
      options.workflowBundle === undefined &&
      !options.nexusServices?.length &&
      !options.plugins?.length
    ) {
      check.add(
        'activities',
        'a worker needs activities, workflowsPath, workflowBundle or nexusServices: none is given',
      );
    }
    if (options.tuner !== undefined) {
      checkTuner(check, options.tuner);
      for (const name of [
        'maxConcurrentActivityTaskExecutions',
        'maxConcurrentLocalActivityExecutions',
        'maxConcurrentWorkflowTaskExecutions',
        'maxConcurrentNexusTaskExecutions',
      ] as const) {
        if (options[name] !== undefined) check.add(name, 'is excluded by tuner');
      }
    }
    checkPolls(check, options);
    checkCommon(check, options);
  }
  check.done();
  return resolve(options, logger);
}

/**
 * Checks and completes the options of a replay.
 * @throws {InvalidOptionsError} with all problems
 */
export function compileReplayWorkerOptions(
  options: ReplayWorkerOptions,
  logger: Logger,
): CompiledWorkerOptions {
  const check = new OptionsCheck('ReplayWorkerOptions');
  check.object('', options, REPLAY_CHECKS);
  if (typeof options === 'object' && options !== null) {
    if (
      options.workflowsPath === undefined &&
      options.workflowBundle === undefined &&
      !options.plugins?.length
    ) {
      check.add('workflowsPath', 'replay needs workflowsPath or workflowBundle: none is given');
    }
    checkCommon(check, options);
  }
  check.done();
  const { replayName = DEFAULT_REPLAY_NAME, ...rest } = options;
  const resolved = resolve(
    { ...rest, taskQueue: replayName, namespace: 'replay', enableNonLocalActivities: false },
    logger,
  );
  return { ...resolved, replays: true };
}

function resolve(
  {
    identity = defaultIdentity(),
    namespace = 'default',
    taskQueue,
    activities,
    nexusServices = [],
    workflowsPath,
    workflowBundle,
    shutdownGraceTime = 0,
    shutdownForceTime,
    dataConverter = {},
    maxConcurrentActivityTaskExecutions = 100,
    maxConcurrentLocalActivityExecutions = 100,
    maxConcurrentNexusTaskExecutions = 100,
    maxConcurrentWorkflowTaskExecutions = 40,
    tuner = {
      workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: maxConcurrentWorkflowTaskExecutions },
      activityTaskSlotSupplier: { type: 'fixed-size', numSlots: maxConcurrentActivityTaskExecutions },
      localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: maxConcurrentLocalActivityExecutions },
      nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: maxConcurrentNexusTaskExecutions },
    },
    enableNonLocalActivities = true,
    disablePayloadErrorLimit = false,
    maxActivitiesPerSecond = 0,
    maxTaskQueueActivitiesPerSecond = 0,
    maxEagerActivityReservationsPerWorkflowTask = 3,
    nonStickyToStickyPollRatio = 0.2,
    maxConcurrentWorkflowTaskPolls,
    maxConcurrentActivityTaskPolls,
    maxConcurrentNexusTaskPolls,
    workflowTaskPollerBehavior,
    activityTaskPollerBehavior,
    nexusTaskPollerBehavior,
    stickyQueueScheduleToStartTimeout = 10_000,
    maxCachedWorkflows = defaultCachedWorkflows(),
    workflowThreadPoolSize,
    lanes = 'thread',
    maxHeartbeatThrottleInterval = 60_000,
    defaultHeartbeatThrottleInterval = 30_000,
    interceptors = {},
    plugins = [],
    sinks = {},
    patchActivationCallback,
    workflowFailureErrorTypes = {},
    showStackTraceSources = false,
    debugMode = Boolean(process.env.TEMPORAL_DEBUG),
    reuseV8Context = true,
    bundlerOptions = {},
    nodeModulesPaths = bundlerOptions.nodeModulesPaths ?? [],
    watchWorkflows = false,
    workerDeploymentOptions,
    buildId,
    useVersioning = false,
  }: WorkerOptions, // O2
  logger: Logger,
): CompiledWorkerOptions {
  return Object.freeze({
    identity,
    namespace,
    taskQueue,
    activities,
    nexusServices,
    workflowsPath,
    workflowBundle,
    shutdownGraceTimeMs: msToNumber(shutdownGraceTime),
    shutdownForceTimeMs: shutdownForceTime === undefined ? undefined : msToNumber(shutdownForceTime),
    dataConverter,
    tuner,
    enableNonLocalActivities,
    disablePayloadErrorLimit,
    maxActivitiesPerSecond,
    maxTaskQueueActivitiesPerSecond,
    maxEagerActivityReservationsPerWorkflowTask,
    nonStickyToStickyPollRatio,
    workflowPollers: resolvePollers(
      workflowTaskPollerBehavior,
      maxConcurrentWorkflowTaskPolls,
      Math.min(10, maxConcurrentWorkflowTaskExecutions),
    ),
    activityPollers: resolvePollers(
      activityTaskPollerBehavior,
      maxConcurrentActivityTaskPolls,
      Math.min(10, maxConcurrentActivityTaskExecutions),
    ),
    nexusPollers: resolvePollers(
      nexusTaskPollerBehavior,
      maxConcurrentNexusTaskPolls,
      Math.min(10, maxConcurrentNexusTaskExecutions),
    ),
    stickyQueueScheduleToStartTimeoutMs: msToNumber(stickyQueueScheduleToStartTimeout),
    maxCachedWorkflows,
    workflowThreadPoolSize,
    lanes,
    maxHeartbeatThrottleIntervalMs: msToNumber(maxHeartbeatThrottleInterval),
    defaultHeartbeatThrottleIntervalMs: msToNumber(defaultHeartbeatThrottleInterval),
    interceptors: {
      client: interceptors.client,
      activity: [
        ...(interceptors.activityInbound ?? []).map(
          (make): ActivityInterceptorsFactory =>
            (ctx) => ({ inbound: make(ctx) }),
        ),
        ...(interceptors.activity ?? []),
      ],
      nexus: interceptors.nexus ?? [],
      workflowModules: interceptors.workflowModules ?? [],
    },
    plugins,
    sinks,
    patchActivationCallback,
    workflowFailureErrorTypes,
    showStackTraceSources,
    debugMode,
    reuseV8Context,
    bundlerOptions: { ...bundlerOptions, nodeModulesPaths },
    watchWorkflows:
      watchWorkflows === false
        ? undefined
        : { replayOpenWorkflows: 20, ...(watchWorkflows === true ? {} : watchWorkflows) },
    workerDeploymentOptions,
    buildId,
    useVersioning,
    logger,
  });
}
