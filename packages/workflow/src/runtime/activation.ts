/**
 * Applying one activation to its run.
 *
 * Owns    the order of jobs, batches, and when conditions are asked.
 * J1  Order: facts about the history and the run, patches, random seed, then signals and updates and everything
 *     else as the core ordered them, and last the workflow function itself if the run starts: so messages that
 *     come with the start find no handler yet and wait for it.
 * J2  All jobs are one batch, unless an old history was made with signals in a batch of their own.
 * J3  Conditions are asked after each job, before any promise goes on, and again after each drain, until none
 *     unblocks; then the next batch follows. Histories depend on both.
 * J4  Queries come alone, change nothing, and ask no condition.
 */

import { encodeVersioningBehavior } from '@perdure/common';
import type {
  InitializeWorkflow,
  WorkflowActivation,
  WorkflowActivationJob,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import type Long from 'long';
import { resolveActivity } from '../activities';
import { cancelWorkflow } from '../cancellation-scope';
import { resolveChild, resolveChildStart } from '../children';
import { endWithError, endWithResult, isCancellation, isContinueAsNew } from '../completion';
import { unblockConditions } from '../conditions';
import { ActivationError } from '../errors';
import { resolveCancelRequest, resolveSignal } from '../external-workflows';
import { hasFlag, learnFlags, SdkFlag } from '../flags';
import { changeInfo } from '../info';
import {
  type ActivateInput,
  anyImplements,
  intercept,
  joinInterceptors,
  type WorkflowExecuteInput,
} from '../interceptors';
import { logLifecycle } from '../log';
import { resolveNexus, resolveNexusStart } from '../nexus';
import { notifyHasPatch } from '../patches';
import { payloadsToArgs } from '../payloads';
import { queryWorkflow } from '../queries';
import { saveRandom, updateRandomSeed } from '../random';
import { signalWorkflow } from '../signals';
import { fireTimer } from '../timers';
import { doUpdate } from '../updates';
import type { Run } from './run';

/** An activation that is being applied. */
export class ActivationProgress {
  private readonly batches: WorkflowActivationJob[][];
  private nextBatch = 0;
  private readonly onlyQueries: boolean;
  private restoreRandom: (() => void) | undefined;

  constructor(
    private readonly run: Run,
    private readonly activation: WorkflowActivation,
  ) {
    run.over = run.completed;
    takeFacts(run, activation);
    const jobs = activation.jobs ?? [];
    this.onlyQueries = jobs.length > 0 && jobs.every((job) => job.queryWorkflow !== undefined);
    this.batches = inBatches(run, jobs);
    if (this.onlyQueries) {
      run.readOnly = 'query handler'; // J4
      this.restoreRandom = saveRandom(run);
    }
  }

  /** Applies the first batch. */
  begin(): void {
    this.applyNextBatch();
  }

  /** After a drain. @returns true if another drain is needed */
  step(): boolean {
    const { run } = this;
    if (run.taskFailure !== undefined || this.onlyQueries) return false;
    if (unblockConditions(run) > 0) return true; // J3
    if (this.nextBatch < this.batches.length) {
      this.applyNextBatch();
      return true;
    }
    return false;
  }

  /** Ends what queries were allowed. */
  end(): void {
    if (!this.onlyQueries) return;
    this.run.readOnly = undefined;
    this.restoreRandom?.();
  }

  private applyNextBatch(): void {
    const batchIndex = this.nextBatch++;
    const jobs = this.batches[batchIndex];
    if (jobs === undefined) return;
    const { run } = this;
    const internals = run.interceptors?.internals;
    if (!anyImplements(internals, 'activate')) {
      applyJobs(run, jobs);
      return;
    }
    intercept(internals!, 'activate', (input: ActivateInput) => applyJobs(run, input.activation.jobs ?? []))({
      activation: { ...this.activation, jobs },
      batchIndex,
    });
  }
}

function takeFacts(run: Run, activation: WorkflowActivation): void {
  const timestamp = activation.timestamp;
  if (timestamp !== undefined) {
    run.nowMs = (timestamp.seconds as Long).toNumber() * 1000 + Math.floor((timestamp.nanos ?? 0) / 1e6);
  }
  run.replaying = activation.isReplaying === true;
  if (activation.lastSdkVersion) run.lastSdkVersion = activation.lastSdkVersion;
  learnFlags(run, activation.availableInternalFlags ?? []);
  const version = activation.deploymentVersionForCurrentTask;
  const reasons = activation.suggestContinueAsNewReasons;
  run.history = {
    historyLength: activation.historyLength ?? 0,
    historySizeBytes: (activation.historySizeBytes as Long | undefined)?.toNumber() ?? 0,
    continueAsNewSuggested: activation.continueAsNewSuggested === true,
    suggestedReasons: reasons !== undefined && reasons.length > 0 ? reasons : undefined,
    targetVersionChanged: activation.targetWorkerDeploymentVersionChanged === true,
    deploymentVersion: version && {
      deploymentName: version.deploymentName ?? '',
      buildId: version.buildId ?? '',
    },
  };
  changeInfo(run);
}

/** J1, J2. Patches and seeds are applied here; the rest is returned, the start of the workflow last. */
function inBatches(run: Run, jobs: readonly WorkflowActivationJob[]): WorkflowActivationJob[][] {
  if (jobs.length === 1) {
    const only = jobs[0] as WorkflowActivationJob;
    if (only.notifyHasPatch === undefined && only.updateRandomSeed === undefined) return [[only]];
  }
  const signals: WorkflowActivationJob[] = [];
  const others: WorkflowActivationJob[] = [];
  let start: WorkflowActivationJob | undefined;
  const separate = jobs.some((job) => job.signalWorkflow !== undefined) && !hasFlag(run, SdkFlag.SingleBatch);
  for (const job of jobs) {
    if (job.notifyHasPatch !== undefined) notifyHasPatch(run, job.notifyHasPatch.patchId ?? '');
    else if (job.updateRandomSeed !== undefined)
      updateRandomSeed(run, job.updateRandomSeed.randomnessSeed as Long);
    else if (job.initializeWorkflow !== undefined) start = job;
    else if (separate && job.signalWorkflow !== undefined) signals.push(job);
    else others.push(job);
  }
  if (start !== undefined) others.push(start);
  if (!separate) return others.length === 0 ? [] : [others];
  return others.length === 0 ? [signals] : [signals, others];
}

function applyJobs(run: Run, jobs: readonly WorkflowActivationJob[]): void {
  for (const job of jobs) {
    applyJob(run, job);
    if (job.queryWorkflow === undefined) unblockConditions(run); // J3
  }
}

function applyJob(run: Run, job: WorkflowActivationJob): void {
  if (job.resolveActivity !== undefined) {
    resolveActivity(run, job.resolveActivity.seq ?? 0, job.resolveActivity.result);
  } else if (job.initializeWorkflow !== undefined) {
    startWorkflow(run, job.initializeWorkflow);
  } else if (job.fireTimer !== undefined) {
    fireTimer(run, job.fireTimer.seq ?? 0);
  } else if (job.signalWorkflow !== undefined) {
    signalWorkflow(run, job.signalWorkflow);
  } else if (job.queryWorkflow !== undefined) {
    queryWorkflow(run, job.queryWorkflow);
  } else if (job.doUpdate !== undefined) {
    doUpdate(run, job.doUpdate);
  } else if (job.cancelWorkflow !== undefined) {
    cancelWorkflow(run, job.cancelWorkflow.reason ?? '');
  } else if (job.resolveChildWorkflowExecutionStart !== undefined) {
    resolveChildStart(run, job.resolveChildWorkflowExecutionStart);
  } else if (job.resolveChildWorkflowExecution !== undefined) {
    resolveChild(run, job.resolveChildWorkflowExecution);
  } else if (job.resolveSignalExternalWorkflow !== undefined) {
    resolveSignal(run, job.resolveSignalExternalWorkflow);
  } else if (job.resolveRequestCancelExternalWorkflow !== undefined) {
    resolveCancelRequest(run, job.resolveRequestCancelExternalWorkflow);
  } else if (job.resolveNexusOperationStart !== undefined) {
    resolveNexusStart(run, job.resolveNexusOperationStart);
  } else if (job.resolveNexusOperation !== undefined) {
    resolveNexus(run, job.resolveNexusOperation);
  } else if (job.removeFromCache === undefined) {
    throw new ActivationError(`An activation holds a job of an unknown kind: ${Object.keys(job).join(', ')}`);
  }
}

/** Evaluates the user's modules and reads what the workflow says about itself; calls nothing of it yet. */
export function prepareRun(run: Run): void {
  run.payloadConverter = run.modules.payloadConverter();
  run.failureConverter = run.modules.failureConverter();
  run.interceptors = joinInterceptors(run.modules.interceptors());
  run.definition = run.modules.workflow(run.workflowType);
  const { fn } = run.definition as { fn: any };
  const given = fn.workflowDefinitionOptions;
  if (given !== undefined) {
    const options = typeof given === 'function' ? given() : given;
    run.versioningBehavior = encodeVersioningBehavior(options?.versioningBehavior) ?? 0;
    run.failureErrorClasses = options?.failureExceptionTypes;
  }
  run.outputType = fn.staticOptions?.typeInfo?.outputType;
}

function startWorkflow(run: Run, init: InitializeWorkflow): void {
  const { fn } = run.definition as { fn: any };
  const args = payloadsToArgs(run, init.arguments, fn.staticOptions?.typeInfo);
  const headers = init.headers ?? {};
  init.arguments = undefined;
  init.headers = undefined;
  void execute(run, fn, { args, headers });
}

/** Calls the workflow function and ends the run with whatever it does: returning, throwing, a strange thenable. */
async function execute(
  run: Run,
  fn: (...args: any[]) => unknown,
  input: WorkflowExecuteInput,
): Promise<void> {
  const interceptors = run.interceptors;
  let value: unknown;
  let failure: { error: unknown } | undefined;
  logLifecycle(run, 'DEBUG', 'Workflow started');
  try {
    value = await (interceptors === undefined
      ? fn(...input.args)
      : intercept(
          interceptors.inbound,
          'execute',
          async (changed: WorkflowExecuteInput) => await fn(...changed.args),
        )(input));
    logLifecycle(run, 'DEBUG', 'Workflow completed');
  } catch (error) {
    failure = { error };
    logFailure(run, error);
  }
  // Histories have it that the run ends three microtasks after its function, and two after its interceptors.
  if (interceptors === undefined) await undefined;
  await undefined;
  if (failure === undefined) endWithResult(run, value);
  else endWithError(run, failure.error);
}

function logFailure(run: Run, error: unknown): void {
  if (isCancellation(error)) logLifecycle(run, 'DEBUG', 'Workflow completed as cancelled');
  else if (isContinueAsNew(error)) logLifecycle(run, 'DEBUG', 'Workflow continued as new');
  else logLifecycle(run, 'WARN', 'Workflow failed', error);
}
