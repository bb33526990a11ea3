/**
 * The state of one workflow run, and which run is current.
 *
 * Owns    every field of a run; features (timers.ts, signals.ts, ...) own the meaning of theirs.
 * Leaves  applying jobs to activation.ts, encoding to completion.ts, user modules to definitions.ts.
 * R1  `current` is the only global state of the package: an activation drains before another begins.
 * R2  A field that most runs never use is undefined until it is used: a cached run stays small.
 * R3  Commands keep the order in which user code caused them.
 */
import type { FailureConverter, PayloadConverter } from '@perdure/common';
import { IllegalStateError } from '@perdure/common';
import type {
  DoUpdate,
  InitializeWorkflow,
  SignalWorkflow,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import type { WorkflowCommand } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import type { CancellationScope } from '../cancellation-scope';
import type { BlockedCondition } from '../conditions';
import { DeterminismViolationError } from '../errors';
import type { HandlerTable, RunningHandler } from '../handlers';
import type { WorkflowInfo } from '../info';
import type { ComposedInterceptors } from '../interceptors';
import type { Alea, NamedStreams } from '../random';
import type { Waiting } from '../stack-traces';
import type { RunModules, WorkflowDefinition } from './definitions';
import type { SinkCallRecord } from './host';
import type { PendingOperations } from './operations';
import type { WorkerState } from './worker-state';

/** What the last activation said about the history; replaced as a whole at each activation. */
export interface HistoryFacts {
  readonly historyLength: number;
  readonly historySizeBytes: number;
  readonly continueAsNewSuggested: boolean;
  readonly suggestedReasons: readonly number[] | undefined;
  readonly targetVersionChanged: boolean;
  readonly deploymentVersion: { readonly deploymentName: string; readonly buildId: string } | undefined;
}

/** Numbers the next operation of each kind will get; kinds count apart, from 1. */
export class NextSeqs {
  timer = 1;
  /** Remote and local activities share one sequence. */
  activity = 1;
  child = 1;
  signal = 1;
  cancel = 1;
  nexus = 1;
}

export class Run {
  readonly worker: WorkerState;
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowType: string;
  /** The start event, without arguments and headers once the workflow function has been called. */
  readonly init: InitializeWorkflow;
  readonly modules: RunModules;
  /** Set once the user's modules have been evaluated. */
  definition: WorkflowDefinition | undefined;
  interceptors: ComposedInterceptors | undefined;
  payloadConverter: PayloadConverter;
  failureConverter: FailureConverter;

  /** Workflow time in epoch milliseconds, fixed while an activation runs. */
  nowMs = 0;
  replaying = false;
  history: HistoryFacts = NO_HISTORY;
  /** Version of the SDK that completed the last workflow task. */
  lastSdkVersion = '';

  /** R3 */
  commands: WorkflowCommand[] = [];
  readonly nextSeqs = new NextSeqs();
  pending: PendingOperations | undefined;
  rootScope: CancellationScope | undefined;
  conditions: Set<BlockedCondition> | undefined;
  /** Triggers that nobody has settled. */
  triggers: Set<Waiting> | undefined;

  random: Alea | undefined;
  namedStreams: NamedStreams | undefined;

  signals: HandlerTable | undefined;
  queries: HandlerTable | undefined;
  updates: HandlerTable | undefined;
  bufferedSignals: SignalWorkflow[] | undefined;
  bufferedUpdates: DoUpdate[] | undefined;
  runningHandlers: Set<RunningHandler> | undefined;

  /** Patches that history says are there. */
  knownPatches: Set<string> | undefined;
  /** Patches for which a command was sent by this instance. */
  sentPatches: Set<string> | undefined;
  /** Patches that the worker has decided not to activate. */
  declinedPatches: Set<string> | undefined;
  /** Behaviour flags known to be on for this run, ours and the official SDK's. */
  readonly flags: number[] = [];

  info: WorkflowInfo | undefined;
  memo: Record<string, unknown> | undefined;
  currentDetails = '';
  /** Conversion hint of the workflow's result, from its definition. */
  outputType: any;
  /** Workflow time of the run's first activation. */
  startedAtMs = 0;
  versioningBehavior = 0;
  /** Error classes given by the workflow's own options; they fail the workflow instead of its task. */
  failureErrorClasses: readonly (abstract new (...args: never[]) => Error)[] | undefined;

  /** Set by a CancelWorkflow job. */
  cancelRequested = false;
  /** Set once a command that ends the run has been emitted. */
  completed = false;
  /** The run had ended before this activation: nothing of what code still does is told (Z3 of completion.ts). */
  over = false;
  /** The first error that fails the current workflow task, in a box since the error may be undefined. */
  taskFailure: { readonly error: unknown } | undefined;
  /** Not undefined while code runs that may not emit commands; names what it is. */
  readOnly: 'query handler' | 'update validator' | undefined;
  sinkCalls: SinkCallRecord[] | undefined;

  constructor(
    worker: WorkerState,
    runId: string,
    init: InitializeWorkflow,
    modules: RunModules,
    payloadConverter: PayloadConverter,
    failureConverter: FailureConverter,
  ) {
    this.worker = worker;
    this.runId = runId;
    this.workflowId = init.workflowId ?? '';
    this.workflowType = init.workflowType ?? '';
    this.init = init;
    this.modules = modules;
    this.definition = undefined;
    this.interceptors = undefined;
    this.payloadConverter = payloadConverter;
    this.failureConverter = failureConverter;
    this.pending = undefined;
    this.rootScope = undefined;
    this.conditions = undefined;
    this.triggers = undefined;
    this.random = undefined;
    this.namedStreams = undefined;
    this.signals = undefined;
    this.queries = undefined;
    this.updates = undefined;
    this.bufferedSignals = undefined;
    this.bufferedUpdates = undefined;
    this.runningHandlers = undefined;
    this.knownPatches = undefined;
    this.sentPatches = undefined;
    this.declinedPatches = undefined;
    this.info = undefined;
    this.memo = undefined;
    this.outputType = undefined;
    this.failureErrorClasses = undefined;
    this.taskFailure = undefined;
    this.readOnly = undefined;
    this.sinkCalls = undefined;
  }

  /** Fails the current workflow task; the first error wins. */
  failTask(error: unknown): void {
    if (!this.over) this.taskFailure ??= { error };
  }
}

const NO_HISTORY: HistoryFacts = Object.freeze({
  historyLength: 0,
  historySizeBytes: 0,
  continueAsNewSuggested: false,
  suggestedReasons: undefined,
  targetVersionChanged: false,
  deploymentVersion: undefined,
});

/** R1: the run whose activation is being applied. */
let current: Run | undefined;

export function currentRun(): Run | undefined {
  return current;
}

export function setCurrentRun(run: Run | undefined): void {
  current = run;
}

/**
 * The current run, for code that only reads it.
 * @param api how the caller's function is written in user code, for the message
 * @throws IllegalStateError outside a workflow
 */
export function requireRun(api: string): Run {
  if (current === undefined) {
    throw new IllegalStateError(`${api} may only be used from a workflow execution`, {
      hint: 'call it from workflow code that a worker runs; activities, clients and plain scripts have no workflow context',
    });
  }
  return current;
}

/**
 * The current run, for code that emits commands or uses up a sequence number.
 * @throws IllegalStateError outside a workflow
 * @throws DeterminismViolationError inside a query handler or an update validator
 */
export function requireWritableRun(api: string): Run {
  const run = requireRun(api);
  if (run.readOnly !== undefined) {
    const place = run.readOnly === 'query handler' ? 'a query handler' : 'an update validator';
    throw new DeterminismViolationError(`${api} may not be used in ${place}`, {
      hint: `${place} only reads the state of the workflow: it must not wait, schedule or change anything`,
    });
  }
  return run;
}
