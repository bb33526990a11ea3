/**
 * Drives the runtime as a host does, with encoded activations, and shows completions as plain data.
 *
 * Every test of this package meets the runtime through `scenario`: it knows the messages, tests name behaviour.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { defaultFailureConverter, defaultPayloadConverter, type Payload } from '@perdure/common';
import type { ChunkFactory, WorkflowBundle } from '@perdure/common/bundle';
import {
  WorkflowActivation,
  type WorkflowActivationJob,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import Long from 'long';
import type { WorkflowInterceptors } from '../index';
import { createRuntime, type RuntimeApi, type SinkCallRecord, type WorkerRegistration } from '../runtime';

const storage = new AsyncLocalStorage<unknown>();

export type AnyWorkflow = (...args: any[]) => unknown;

export interface ScenarioOptions {
  interceptors?: () => WorkflowInterceptors;
  payloadConverter?: object;
  failureConverter?: object;
  registration?: Partial<WorkerRegistration>;
  /** The worker's answers about patches. */
  decidePatch?: (patchId: string, info: any) => string;
  /** Runs as the module that holds the workflows is evaluated. */
  onLoad?: () => void;
}

export interface Facts {
  isReplaying?: boolean;
  /** Epoch milliseconds. */
  now?: number;
  flags?: number[];
  lastSdkVersion?: string;
  /** Of the worker that completed the task. */
  buildId?: string;
  historyLength?: number;
}

/** What an activation led to; exactly one of `commands` and `failed` is there. */
export interface Outcome {
  /** Commands as plain data: payloads decoded, durations in milliseconds, defaults left out. */
  commands?: any[];
  /** Message of the failure of the task. */
  failed?: string;
  failure?: any;
  flags?: number[];
  versioningBehavior?: number;
  sinkCalls: readonly SinkCallRecord[];
}

export class Scenario {
  readonly api: RuntimeApi;
  private readonly runId: string;

  constructor(workflows: Record<string, AnyWorkflow>, options: ScenarioOptions = {}, runId = 'run-1') {
    this.runId = runId;
    this.api = createRuntime(
      {
        entropy: Math.random,
        wallClockMs: () => Date.now(),
        newGlobal: () => ({}),
        runInScope: (store, fn) => storage.run(store, fn),
        currentScope: () => storage.getStore(),
        ...(options.decidePatch && {
          decidePatch: (_worker, _runId, patchId, info) => options.decidePatch!(patchId, JSON.parse(info)),
        }),
      },
      {},
    );
    const decides = options.decidePatch !== undefined && { decidesPatches: true };
    this.api.register({ ...REGISTRATION, ...decides, ...options.registration }, bundleOf(workflows, options));
  }

  /** Applies jobs as one activation. */
  async activate(jobs: readonly WorkflowActivationJob[], facts: Facts = {}): Promise<Outcome> {
    const { api } = this;
    const bytes = encodeActivation(this.runId, jobs, facts);
    api.begin(1, bytes);
    bytes.fill(0xff); // the host reuses this memory
    await drain();
    while (api.step()) await drain();
    const completion = WorkflowActivationCompletion.decode(api.finish());
    const sinkCalls = api.takeSinkCalls() ?? [];
    if (completion.runId !== this.runId) throw new Error(`completion of run ${completion.runId}`);
    if (completion.failed !== undefined) {
      return {
        failed: completion.failed.failure?.message ?? '',
        failure: completion.failed.failure,
        sinkCalls,
      };
    }
    const { commands = [], usedInternalFlags, versioningBehavior } = completion.successful ?? {};
    return {
      commands: commands.map((command) => plain(command)),
      flags: usedInternalFlags,
      versioningBehavior,
      sinkCalls,
    };
  }

  /** Applies jobs and gives the commands. @throws if the task failed */
  async commands(jobs: readonly WorkflowActivationJob[], facts?: Facts): Promise<any[]> {
    const outcome = await this.activate(jobs, facts);
    if (outcome.commands === undefined) {
      throw new Error(`the task failed: ${outcome.failed}\n${outcome.failure?.stackTrace}`);
    }
    return outcome.commands;
  }

  evict(): void {
    this.api.evict(1, this.runId);
  }
}

/** A scenario of one workflow, whose type is `wf`. */
export function scenario(workflow: AnyWorkflow, options?: ScenarioOptions): Scenario {
  return new Scenario({ wf: workflow }, options);
}

export const REGISTRATION: WorkerRegistration = {
  worker: 1,
  namespace: 'test-namespace',
  taskQueue: 'test-queue',
  identity: 'test-identity',
  buildId: 'test-build',
  replayingSinks: [],
  showStackTraceSources: false,
  logLevel: 'INFO',
  workflowFailureErrorTypes: {},
};

export function bundleOf(
  workflows: Record<string, AnyWorkflow>,
  options: ScenarioOptions = {},
): WorkflowBundle {
  const chunks: [string, ChunkFactory][] = [
    [
      'main',
      (_globalThis, _require, exports_) => {
        options.onLoad?.();
        for (const [name, workflow] of Object.entries(workflows)) define(exports_, name, workflow);
      },
    ],
  ];
  const module = (id: string, name: string, value: unknown): string => {
    chunks.push([id, (_globalThis, _require, exports_) => define(exports_, name, value)]);
    return id;
  };
  const { interceptors, payloadConverter, failureConverter } = options;
  return {
    format: 1,
    workflows: Object.keys(workflows).map((type) => [type, 'main', type] as const),
    interceptors: interceptors === undefined ? [] : [module('interceptors', 'interceptors', interceptors)],
    payloadConverter: payloadConverter && module('payloads', 'payloadConverter', payloadConverter),
    failureConverter: failureConverter && module('failures', 'failureConverter', failureConverter),
    shared: [],
    chunks,
  };
}

function define(exports_: object, name: string, value: unknown): void {
  Object.defineProperty(exports_, name, { value, enumerable: true });
}

export function encodeActivation(
  runId: string,
  jobs: readonly WorkflowActivationJob[],
  facts: Facts = {},
): Uint8Array {
  const now = facts.now ?? 1_700_000_000_000;
  return WorkflowActivation.encode({
    runId,
    timestamp: timestamp(now),
    isReplaying: facts.isReplaying ?? false,
    historyLength: facts.historyLength ?? 3,
    historySizeBytes: Long.fromNumber(1234, true),
    availableInternalFlags: facts.flags ?? [],
    lastSdkVersion: facts.lastSdkVersion ?? '',
    deploymentVersionForCurrentTask:
      facts.buildId === undefined ? undefined : { deploymentName: '', buildId: facts.buildId },
    jobs: [...jobs],
  }).finish();
}

/** Lets everything that can go on go on. */
export function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function timestamp(ms: number): { seconds: Long; nanos: number } {
  return { seconds: Long.fromNumber(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1e6 };
}

export const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const payloads = (values: readonly unknown[]): Payload[] => values.map(payload);
export const failureOf = (error: unknown) =>
  defaultFailureConverter.errorToFailure(error, defaultPayloadConverter);

type Init = NonNullable<WorkflowActivationJob['initializeWorkflow']>;

/** Jobs by what they say. */
export const job = {
  start: (args: readonly unknown[] = [], init: Init = {}): WorkflowActivationJob => ({
    initializeWorkflow: {
      workflowType: 'wf',
      workflowId: 'workflow-1',
      randomnessSeed: Long.fromNumber(42, true),
      arguments: payloads(args),
      attempt: 1,
      firstExecutionRunId: 'run-1',
      startTime: timestamp(1_699_999_999_000),
      ...init,
    },
  }),
  fireTimer: (seq: number): WorkflowActivationJob => ({ fireTimer: { seq } }),
  activityDone: (seq: number, value?: unknown): WorkflowActivationJob => ({
    resolveActivity: { seq, result: { completed: { result: payload(value) } } },
  }),
  activityFailed: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveActivity: { seq, result: { failed: { failure: failureOf(error) } } },
  }),
  activityCancelled: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveActivity: { seq, result: { cancelled: { failure: failureOf(error) } } },
  }),
  activityBackoff: (seq: number, attempt: number, ms: number): WorkflowActivationJob => ({
    resolveActivity: {
      seq,
      isLocal: true,
      result: {
        backoff: { attempt, backoffDuration: timestamp(ms), originalScheduleTime: timestamp(77_000) },
      },
    },
  }),
  signal: (signalName: string, ...args: unknown[]): WorkflowActivationJob => ({
    signalWorkflow: { signalName, input: payloads(args) },
  }),
  query: (queryType: string, ...args: unknown[]): WorkflowActivationJob => ({
    queryWorkflow: { queryId: `query-${queryType}`, queryType, arguments: payloads(args) },
  }),
  update: (name: string, args: readonly unknown[] = [], more: object = {}): WorkflowActivationJob => ({
    doUpdate: {
      id: `id-${name}`,
      protocolInstanceId: `proto-${name}`,
      name,
      input: payloads(args),
      runValidator: true,
      ...more,
    },
  }),
  cancel: (reason = ''): WorkflowActivationJob => ({ cancelWorkflow: { reason } }),
  patch: (patchId: string): WorkflowActivationJob => ({ notifyHasPatch: { patchId } }),
  seed: (seed: number): WorkflowActivationJob => ({
    updateRandomSeed: { randomnessSeed: Long.fromNumber(seed, true) },
  }),
  childStarted: (seq: number, runId = `child-run-${seq}`): WorkflowActivationJob => ({
    resolveChildWorkflowExecutionStart: { seq, succeeded: { runId } },
  }),
  childNotStarted: (seq: number, cause: number): WorkflowActivationJob => ({
    resolveChildWorkflowExecutionStart: {
      seq,
      failed: { workflowId: 'child', workflowType: 'childType', cause },
    },
  }),
  childStartCancelled: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveChildWorkflowExecutionStart: { seq, cancelled: { failure: failureOf(error) } },
  }),
  childDone: (seq: number, value?: unknown): WorkflowActivationJob => ({
    resolveChildWorkflowExecution: { seq, result: { completed: { result: payload(value) } } },
  }),
  childFailed: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveChildWorkflowExecution: { seq, result: { failed: { failure: failureOf(error) } } },
  }),
  childCancelled: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveChildWorkflowExecution: { seq, result: { cancelled: { failure: failureOf(error) } } },
  }),
  signalSent: (seq: number, error?: unknown): WorkflowActivationJob => ({
    resolveSignalExternalWorkflow: { seq, ...(error !== undefined && { failure: failureOf(error) }) },
  }),
  cancelSent: (seq: number, error?: unknown): WorkflowActivationJob => ({
    resolveRequestCancelExternalWorkflow: { seq, ...(error !== undefined && { failure: failureOf(error) }) },
  }),
  nexusStarted: (seq: number, operationToken?: string): WorkflowActivationJob => ({
    resolveNexusOperationStart:
      operationToken === undefined ? { seq, startedSync: true } : { seq, operationToken },
  }),
  nexusNotStarted: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveNexusOperationStart: { seq, failed: failureOf(error) },
  }),
  nexusDone: (seq: number, value: unknown): WorkflowActivationJob => ({
    resolveNexusOperation: { seq, result: { completed: payload(value) } },
  }),
  nexusFailed: (seq: number, error: unknown): WorkflowActivationJob => ({
    resolveNexusOperation: { seq, result: { failed: failureOf(error) } },
  }),
};

/** Keys whose empty values say something. */
const KEEP_EMPTY = new Set(['accepted', 'cancelWorkflowExecution', 'succeeded']);

/** A message as a reader wants it: no defaults, payloads decoded, durations in milliseconds. */
export function plain(value: any): any {
  if (value instanceof Uint8Array) return [...value];
  if (Long.isLong(value)) return value.toNumber();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('metadata' in value && 'data' in value) {
    return 'encoding' in value.metadata ? defaultPayloadConverter.fromPayload(value) : undefined;
  }
  if ('seconds' in value && 'nanos' in value) return value.seconds.toNumber() * 1000 + value.nanos / 1e6;
  const result: any = {};
  for (const [key, field] of Object.entries(value)) {
    if (isPayload(field)) {
      result[key] = plain(field);
      continue;
    }
    const shown = plain(field);
    if (!isDefault(shown) || KEEP_EMPTY.has(key)) if (shown !== undefined) result[key] = shown;
  }
  return result;
}

function isPayload(value: any): boolean {
  return typeof value === 'object' && value !== null && 'metadata' in value && 'data' in value;
}

function isDefault(value: any): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** What the default options of a test's activities come to. */
export const ACTIVITY = { startToCloseTimeout: 60_000, taskQueue: 'test-queue' };
