/**
 * A lane thread that answers activations by hand, without any runtime. `workerData`: {@link HandLaneData}.
 * Posts 'open' once it is open, and `{ activations, evictions }` whenever it gets a message.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { LaneBatch, type LaneCompletion, LaneCompletions } from '@perdure/proto/perdure/core/v1/exchange';
import { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import {
  ActivityCancellationType,
  type WorkflowCommand,
} from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import Long from 'long';
import { laneTransport } from '../lane-transport';

export interface HandLaneData {
  readonly lane: number;
  /**
   * complete: ends each workflow with its type as result. timer: starts a timer first. silent: never answers.
   * spin: never returns from its first batch. activity, nexus: ends with what an activity or a Nexus operation came
   * to, and asks for its cancellation when the workflow is cancelled.
   */
  readonly behaviour: 'complete' | 'timer' | 'silent' | 'spin' | 'activity' | 'nexus';
  /** Where activities run, and the endpoint of Nexus operations. */
  readonly target?: string;
}

const { lane, behaviour, target } = workerData as HandLaneData;
const types = new Map<string, string>();
let activations = 0;
let evictions = 0;

function commandsFor(activation: WorkflowActivation): WorkflowCommand[] {
  const runId = activation.runId ?? '';
  const commands: WorkflowCommand[] = [];
  for (const job of activation.jobs ?? []) {
    const { initializeWorkflow, fireTimer, cancelWorkflow, resolveActivity, resolveNexusOperation } = job;
    if (initializeWorkflow) types.set(runId, initializeWorkflow.workflowType ?? '');
    const outcome = (resolveActivity ?? resolveNexusOperation)?.result;
    if (initializeWorkflow && behaviour === 'timer') {
      commands.push({ startTimer: { seq: 1, startToFireTimeout: { nanos: 1e6 } } });
    } else if (initializeWorkflow && behaviour === 'activity') {
      const startToCloseTimeout = { seconds: Long.fromNumber(30) };
      const heartbeatTimeout = { seconds: Long.fromNumber(10) };
      const activityType = initializeWorkflow.workflowType;
      const arguments_ = initializeWorkflow.arguments ?? [];
      commands.push({
        scheduleActivity: {
          seq: 1,
          activityId: 'a',
          activityType,
          taskQueue: target,
          arguments: arguments_,
          startToCloseTimeout,
          heartbeatTimeout,
          cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
          doNotEagerlyExecute: true,
        },
      });
    } else if (initializeWorkflow && behaviour === 'nexus') {
      const operation = initializeWorkflow.workflowType;
      commands.push({ scheduleNexusOperation: { seq: 1, endpoint: target, service: 'shop', operation } });
    } else if (cancelWorkflow) {
      commands.push({ requestCancelActivity: { seq: 1 } });
    } else if (outcome) {
      const { completed, failed, cancelled } = outcome as Record<string, any>;
      const told = completed?.result ?? completed;
      if (told) commands.push({ completeWorkflowExecution: { result: told } });
      const failure = failed?.failure ?? failed ?? cancelled?.failure ?? cancelled;
      if (!told) commands.push({ failWorkflowExecution: { failure } });
    } else if (initializeWorkflow || fireTimer) {
      const data = Buffer.from(JSON.stringify(types.get(runId)));
      const metadata = { encoding: Buffer.from('json/plain') };
      commands.push({ completeWorkflowExecution: { result: { metadata, data } } });
    }
  }
  return commands;
}

const end = laneTransport.open(lane, (batch) => {
  const completions: LaneCompletion[] = [];
  for (const { worker, activation, evict, runId = '' } of LaneBatch.decode(batch).items ?? []) {
    if (evict) {
      evictions += 1;
      types.delete(runId);
    }
    if (activation === undefined) continue;
    activations += 1;
    if (behaviour === 'silent') continue;
    if (behaviour === 'spin') {
      parentPort!.postMessage('spinning');
      for (;;);
    }
    const decoded = WorkflowActivation.decode(activation);
    const completion = WorkflowActivationCompletion.encode({
      runId: decoded.runId,
      successful: { commands: commandsFor(decoded) },
    }).finish();
    completions.push({ worker, completion });
  }
  if (completions.length > 0) end.complete(LaneCompletions.encode({ items: completions }).finish());
});

parentPort!.on('message', () => parentPort!.postMessage({ activations, evictions }));
parentPort!.postMessage('open');
