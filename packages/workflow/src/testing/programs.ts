/**
 * Workflow programs made at random, for property tests, and a stand-in for the server that answers them.
 */
import { ActivityFailure, CancelledFailure } from '@perdure/common';
import type { WorkflowActivationJob } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import fc from 'fast-check';
import Long from 'long';
import * as workflow from '../index';
import { random } from '../random';
import { clearTimeout, setTimeout } from '../timers';
import { programOf, type Step } from './program-language';
import { type Facts, job, Scenario, type ScenarioOptions } from './scenario';

export { programOf, type Step };

/** Programs made at random, for any server. */
export const step: fc.Arbitrary<Step> = stepWith([]);

/** Programs that also do what the stand-in answers alone: Nexus operations, handlers that come late. */
export const stepOfAnyKind: fc.Arbitrary<Step> = stepWith([
  fc.record({
    do: fc.constantFrom(
      'operation' as const,
      'operationHandle' as const,
      'abandonedOperation' as const,
      'late' as const,
      'finished' as const,
      'refusable' as const,
      'cancelled' as const,
    ),
  }),
]);

function stepWith(more: fc.Arbitrary<Step>[]): fc.Arbitrary<Step> {
  return fc.letrec<{ step: Step }>((tie) => ({
    step: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      ...more,
      fc.record({ do: fc.constant('sleep' as const), ms: fc.integer({ min: 0, max: 50 }) }),
      fc.record({ do: fc.constant('activity' as const) }),
      fc.record({ do: fc.constant('child' as const) }),
      fc.record({ do: fc.constant('random' as const) }),
      fc.record({
        do: fc.constantFrom(
          'local' as const,
          'flaky' as const,
          'retried' as const,
          'failing' as const,
          'failingLocal' as const,
          'throw' as const,
          'waiting' as const,
          'abandoned' as const,
          'abandonedChild' as const,
          'askedChild' as const,
          'detached' as const,
          'gate' as const,
          'iterate' as const,
          'memo' as const,
          'continue' as const,
          'cancellable' as const,
          'callback' as const,
          'cleared' as const,
          'trigger' as const,
          'signal' as const,
          'handle' as const,
          'cancelOther' as const,
        ),
      }),
      fc.record({
        do: fc.constantFrom('patch' as const, 'deprecate' as const),
        id: fc.constantFrom('p', 'q'),
      }),
      fc.record({
        do: fc.constant('wait' as const),
        until: fc.integer({ min: 0, max: 3 }),
        timeout: fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
      }),
      fc.record({
        do: fc.constantFrom(
          'all' as const,
          'race' as const,
          'scope' as const,
          'shield' as const,
          'timeout' as const,
          'attempt' as const,
        ),
        steps: fc.array(tie('step'), { minLength: 1, maxLength: 3 }),
      }),
    ),
  })).step;
}

/** Programs on this package. */
export const program = programOf({ ...workflow, random, setTimeout, clearTimeout });

/** Without stack traces: they also show who called the runtime. */
export function asText(commands: unknown): string {
  return JSON.stringify(commands, (key, value) => (key === 'stackTrace' ? undefined : value));
}

export interface Recorded {
  activations: { jobs: WorkflowActivationJob[]; facts: Facts }[];
  commands: string[];
  /** Flags that the core has recorded by the end of each activation. */
  flags: number[][];
}

/**
 * Answers commands in a random order until nothing is open, and records what went in and out.
 * @param options.more sends further messages, too
 */
export async function record(
  make: (steps: readonly Step[]) => () => Promise<unknown>,
  steps: Step[],
  choices: number[],
  { more = false, ...options }: ScenarioOptions & { more?: boolean } = {},
): Promise<Recorded> {
  const s = new Scenario({ wf: make(steps) }, options);
  const recorded: Recorded = { activations: [], commands: [], flags: [] };
  const open: WorkflowActivationJob[][] = [];
  let jobs: WorkflowActivationJob[] = [job.start()];
  let ended = false;
  for (let turn = 0; turn < 40 && !ended; turn++) {
    const facts: Facts = { now: 1_700_000_000_000 + turn * 1000, historyLength: 3 + turn };
    recorded.activations.push({ jobs, facts });
    const outcome = await s.activate(jobs, facts);
    recorded.flags.push(outcome.flags ?? []);
    recorded.commands.push(asText(outcome.commands ?? outcome.failed));
    if (outcome.commands === undefined) break;
    for (const command of outcome.commands) ended = answer(command, open) || ended;
    jobs = [];
    const choice = choices[turn % choices.length] ?? 0;
    if (choice % 7 === 0) {
      const signal = job.signal('s', 1 + (choice % 3)).signalWorkflow;
      jobs.push({ signalWorkflow: { ...signal, originatingEventId: Long.fromNumber(100 + turn) } });
    }
    if (choice % 11 === 0)
      jobs.push(job.update('u', [choice % 5], { id: `u${turn}`, protocolInstanceId: `u${turn}` }));
    if (more && choice % 13 === 0)
      jobs.push(job.update('v', [choice % 4], { id: `v${turn}`, protocolInstanceId: `v${turn}` }));
    if (more && choice % 17 === 0) jobs.push(job.signal('late', choice % 3));
    if (choice % 29 === 0) jobs.push(job.cancel());
    for (let i = 0; i <= choice % 3 && open.length > 0; i++) {
      const queue = open[(choice + i) % open.length]!;
      jobs.push(queue.shift()!);
      if (queue.length === 0) open.splice(open.indexOf(queue), 1);
    }
    if (jobs.length === 0) {
      if (open.length === 0 && turn > 12) break;
      jobs.push(job.signal('s', 1));
    }
  }
  return recorded;
}

const FAILURE = new ActivityFailure('failed', 'fail', '1', 'MAXIMUM_ATTEMPTS_REACHED', 'worker');
const CANCELLED = new CancelledFailure('cancelled');

/** Answers of children and operations that are over as soon as they are cancelled, whether they have started or not. */
const endsAtOnce = new WeakSet<WorkflowActivationJob[]>();

/** What a server would answer to a command, in order. @returns whether the run has ended */
function answer(command: any, open: WorkflowActivationJob[][]): boolean {
  const drop = (isIt: (j: WorkflowActivationJob) => boolean) => {
    const index = open.findIndex((queue) => queue.some(isIt));
    if (index >= 0) open.splice(index, 1);
  };
  if (command.startTimer) open.push([job.fireTimer(command.startTimer.seq)]);
  else if (command.cancelTimer) drop((j) => j.fireTimer?.seq === command.cancelTimer.seq);
  else if (command.scheduleActivity) {
    const { seq, activityType } = command.scheduleActivity;
    open.push([activityType === 'fail' ? job.activityFailed(seq, FAILURE) : job.activityDone(seq, 5)]);
  } else if (command.scheduleLocalActivity) {
    const { seq, attempt } = command.scheduleLocalActivity;
    open.push([
      attempt === 1 && seq % 2 === 0 ? job.activityBackoff(seq, 2, 90_000) : job.activityDone(seq, 5),
    ]);
  } else if (command.requestCancelActivity || command.requestCancelLocalActivity) {
    const { seq } = command.requestCancelActivity ?? command.requestCancelLocalActivity;
    drop((j) => j.resolveActivity?.seq === seq);
    open.push([job.activityCancelled(seq, CANCELLED)]);
  } else if (command.signalExternalWorkflowExecution) {
    open.push([job.signalSent(command.signalExternalWorkflowExecution.seq)]);
  } else if (command.requestCancelExternalWorkflowExecution) {
    open.push([job.cancelSent(command.requestCancelExternalWorkflowExecution.seq)]);
  } else if (command.cancelChildWorkflowExecution) {
    const seq = command.cancelChildWorkflowExecution.childWorkflowSeq;
    const isStart = (j: WorkflowActivationJob) => j.resolveChildWorkflowExecutionStart?.seq === seq;
    const starting = open.some((queue) => queue.some(isStart) && !endsAtOnce.has(queue));
    drop((j) => isStart(j) || j.resolveChildWorkflowExecution?.seq === seq);
    open.push([starting ? job.childStartCancelled(seq, CANCELLED) : job.childCancelled(seq, CANCELLED)]);
  }
  if (command.scheduleNexusOperation) {
    const { seq } = command.scheduleNexusOperation;
    const started = job.nexusStarted(seq, 'token');
    if (seq % 4 === 3) open.push([job.nexusNotStarted(seq, FAILURE)]);
    else {
      const queue = [started, seq % 4 === 2 ? job.nexusFailed(seq, FAILURE) : job.nexusDone(seq, 7)];
      open.push(queue);
      if (command.scheduleNexusOperation.cancellationType === 1) endsAtOnce.add(queue);
    }
  } else if (command.requestCancelNexusOperation) {
    const { seq } = command.requestCancelNexusOperation;
    const isStart = (j: WorkflowActivationJob) => j.resolveNexusOperationStart?.seq === seq;
    const starting = open.some((queue) => queue.some(isStart) && !endsAtOnce.has(queue));
    drop((j) => isStart(j) || j.resolveNexusOperation?.seq === seq);
    open.push([starting ? job.nexusNotStarted(seq, CANCELLED) : job.nexusFailed(seq, CANCELLED)]);
  }
  if (command.startChildWorkflowExecution) {
    const { seq } = command.startChildWorkflowExecution;
    const queue = [job.childStarted(seq), job.childDone(seq, 6)];
    open.push(queue);
    if ((command.startChildWorkflowExecution.cancellationType ?? 0) === 0) endsAtOnce.add(queue);
  }
  return (
    command.completeWorkflowExecution !== undefined ||
    command.failWorkflowExecution !== undefined ||
    command.continueAsNewWorkflowExecution !== undefined ||
    command.cancelWorkflowExecution !== undefined
  );
}
