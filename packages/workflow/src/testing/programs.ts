/**
 * Workflow programs made at random, for property tests, and a stand-in for the server that answers them.
 */
import { ActivityFailure, CancelledFailure } from '@perdure/common';
import type { WorkflowActivationJob } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import fc from 'fast-check';
import * as workflow from '../index';
import { random } from '../random';
import { clearTimeout, setTimeout } from '../timers';
import { type Facts, job, Scenario } from './scenario';

/** A small language of workflow programs. */
export type Step =
  | { do: 'sleep'; ms: number }
  | { do: 'activity' }
  | { do: 'child' }
  | { do: 'random' }
  | {
      do:
        | 'local'
        | 'failing'
        | 'cancellable'
        | 'callback'
        | 'cleared'
        | 'trigger'
        | 'signal'
        | 'handle'
        | 'cancelOther';
    }
  | { do: 'patch'; id: string }
  | { do: 'wait'; until: number; timeout: number | undefined }
  | { do: 'all' | 'race' | 'scope' | 'shield' | 'timeout' | 'attempt'; steps: Step[] };

export const step: fc.Arbitrary<Step> = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ do: fc.constant('sleep' as const), ms: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ do: fc.constant('activity' as const) }),
    fc.record({ do: fc.constant('child' as const) }),
    fc.record({ do: fc.constant('random' as const) }),
    fc.record({
      do: fc.constantFrom(
        'local' as const,
        'failing' as const,
        'cancellable' as const,
        'callback' as const,
        'cleared' as const,
        'trigger' as const,
        'signal' as const,
        'handle' as const,
        'cancelOther' as const,
      ),
    }),
    fc.record({ do: fc.constant('patch' as const), id: fc.constantFrom('p', 'q') }),
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

interface Activities {
  act(n: number): Promise<number>;
  fail(): Promise<void>;
}
/** What programs are made of; two implementations of the same API can be compared by it. */
export type ProgramApi = typeof workflow & {
  random(): number;
  setTimeout(callback: (...args: any[]) => unknown, ms: number, ...args: unknown[]): any;
  clearTimeout(handle: any): void;
};

/** Makes workflow functions of programs, on one implementation of the API. */
export function programOf(api: ProgramApi) {
  const {
    CancellationScope,
    condition,
    defineSignal,
    defineUpdate,
    executeChild,
    getExternalWorkflowHandle,
    patched,
    proxyActivities,
    proxyLocalActivities,
    setHandler,
    sleep,
    startChild,
    Trigger,
    uuid4,
    random,
    setTimeout,
    clearTimeout,
  } = api;
  const { act, fail } = proxyActivities<Activities>({ startToCloseTimeout: 1000 });
  const { act: local } = proxyLocalActivities<Activities>({ startToCloseTimeout: 1000 });

  return function program(steps: readonly Step[]) {
    return async () => {
      let signals = 0;
      setHandler(defineSignal<[number]>('s'), async (n) => {
        signals += n;
        if (n > 1) await act(n);
      });
      setHandler(defineUpdate<number, [number]>('u'), async (n) => {
        signals += n;
        await sleep(n);
        return signals;
      });
      const sequence = async (list: readonly Step[]): Promise<void> => {
        for (const each of list) await runStep(each);
      };
      const runStep = async (s: Step): Promise<unknown> => {
        switch (s.do) {
          case 'sleep':
            return sleep(s.ms);
          case 'activity':
            return act(1);
          case 'child':
            return executeChild('child');
          case 'local':
            return local(1);
          case 'failing':
            return fail().catch(() => sleep(1));
          case 'cancellable':
            return CancellationScope.cancellable(() => act(3));
          case 'callback':
            return new Promise((resolve) => setTimeout(resolve, 4, 1));
          case 'cleared': {
            const handle = setTimeout(() => undefined, 5);
            await sleep(1);
            clearTimeout(handle);
            return sleep(1);
          }
          case 'trigger': {
            const trigger = new Trigger<number>();
            sleep(2).then(() => trigger.resolve(1), ignore);
            return trigger;
          }
          case 'signal':
            return getExternalWorkflowHandle('other').signal('hi');
          case 'handle': {
            const handle = await startChild('child');
            await handle.signal('hi');
            return handle.result();
          }
          case 'cancelOther':
            return getExternalWorkflowHandle('other').cancel();
          case 'random':
            return [random(), uuid4()];
          case 'patch':
            if (patched(s.id)) await sleep(3);
            return;
          case 'wait':
            return s.timeout === undefined
              ? condition(() => signals >= s.until)
              : condition(() => signals >= s.until, s.timeout);
          case 'all':
            return Promise.all(s.steps.map(runStep));
          case 'race':
            return Promise.race(s.steps.map(runStep));
          case 'scope': {
            const scope = new CancellationScope();
            const inside = scope.run(() => sequence(s.steps));
            await Promise.race([inside.catch(() => undefined), sleep(7)]);
            scope.cancel();
            return inside.catch(() => undefined);
          }
          case 'shield':
            return CancellationScope.nonCancellable(() => sequence(s.steps));
          case 'timeout':
            return CancellationScope.withTimeout(9, () => sequence(s.steps)).catch(() => undefined);
          case 'attempt':
            return sequence(s.steps).catch(() => undefined);
        }
      };
      await sequence(steps);
      return [signals, uuid4()];
    };
  };
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

/** Answers commands in a random order until nothing is open, and records what went in and out. */
export async function record(
  make: (steps: readonly Step[]) => () => Promise<unknown>,
  steps: Step[],
  choices: number[],
): Promise<Recorded> {
  const s = new Scenario({ wf: make(steps) });
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
    if (choice % 7 === 0) jobs.push(job.signal('s', 1 + (choice % 3)));
    if (choice % 11 === 0)
      jobs.push(job.update('u', [choice % 5], { id: `u${turn}`, protocolInstanceId: `u${turn}` }));
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

function ignore(): void {}

const FAILURE = new ActivityFailure('failed', 'fail', '1', 'MAXIMUM_ATTEMPTS_REACHED', 'worker');
const CANCELLED = new CancelledFailure('cancelled');

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
    const starting = open.some((queue) => queue.some(isStart));
    drop((j) => isStart(j) || j.resolveChildWorkflowExecution?.seq === seq);
    open.push([starting ? job.childStartCancelled(seq, CANCELLED) : job.childCancelled(seq, CANCELLED)]);
  }
  if (command.startChildWorkflowExecution) {
    const { seq } = command.startChildWorkflowExecution;
    open.push([job.childStarted(seq), job.childDone(seq, 6)]);
  }
  return (
    command.completeWorkflowExecution !== undefined ||
    command.failWorkflowExecution !== undefined ||
    command.cancelWorkflowExecution !== undefined
  );
}
