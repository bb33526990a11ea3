/**
 * Local activities: run by the worker that runs the workflow, recorded as markers.
 *
 * L1  Each attempt that the core asks for after a back-off is a new operation with a new number; the wait
 *     between is an ordinary timer, so a cancellation reaches it.
 */
import {
  compileRetryPolicy,
  msOptionalToTs,
  type PayloadTypeInfo,
  type Timestamp,
  tsToMs,
  type UntypedActivities,
} from '@perdure/common';
import { encodeActivityCancellationType } from '@perdure/common/lib/activity-options';
import { activityProxy, PendingActivity, typeInfoOf, withOverride } from './activities';
import {
  checkActivityOptions,
  type LocalActivityInterfaceFor,
  type LocalActivityOptions,
  type LocalActivityProxyOptions,
} from './activity-options';
import { currentScope, rejectCancelled } from './cancellation-scope';
import { emit, pendingOf } from './commands';
import { LocalActivityNotRegisteredError } from './errors';
import { intercept, type LocalActivityInput } from './interceptors';
import { LocalActivityDoBackoff } from './local-activity-backoff';
import { activityContext, argsToPayloads } from './payloads';
import { refuseReadOnly } from './read-only';
import { OperationKind } from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';
import { sleep } from './timers';

/**
 * Callables for local activities, by name. May be called at the top level of a module.
 * @throws ValueError if the options have no startToCloseTimeout and no scheduleToCloseTimeout
 */
export function proxyLocalActivities<A = UntypedActivities>(
  options: LocalActivityProxyOptions<A>,
): LocalActivityInterfaceFor<A> {
  checkActivityOptions(options, 'proxyLocalActivities()');
  const { activityTypeInfo, ...own } = options;
  return activityProxy((name, override, args) =>
    scheduleLocalActivity(name, args, withOverride(own, override), typeInfoOf(activityTypeInfo, name)),
  ) as LocalActivityInterfaceFor<A>;
}

/** Schedules a local activity by name. Use proxyLocalActivities in applications. */
export function scheduleLocalActivity<R>(
  activityType: string,
  args: any[],
  options: LocalActivityOptions,
  typeInfo?: PayloadTypeInfo,
): Promise<R> {
  refuseReadOnly('Local activities');
  return attempts(activityType, args, options, typeInfo);
}

/** One attempt after the other, as long as the core asks for another (L1). */
async function attempts<R>(
  activityType: string,
  args: any[],
  options: LocalActivityOptions,
  typeInfo: PayloadTypeInfo | undefined,
): Promise<R> {
  const run = requireWritableRun('Local activities');
  checkActivityOptions(options, `local activity '${activityType}'`);
  let attempt = 1;
  let originalScheduleTime: Timestamp | undefined;
  for (;;) {
    const seq = run.nextSeqs.activity++;
    const input: LocalActivityInput = {
      activityType,
      args,
      options,
      headers: {},
      seq,
      attempt,
      originalScheduleTime,
      typeInfo,
    };
    const interceptors = run.interceptors;
    try {
      if (interceptors === undefined) return (await schedule(run, input)) as R;
      return (await intercept(interceptors.outbound, 'scheduleLocalActivity', (changed: LocalActivityInput) =>
        schedule(run, changed),
      )(input)) as R;
    } catch (error) {
      if (!(error instanceof LocalActivityDoBackoff)) throw error;
      const { backoff } = error;
      const { eventGroups } = options;
      await sleep(tsToMs(backoff.backoffDuration), eventGroups && { eventGroups }); // L1
      attempt = backoff.attempt ?? attempt + 1;
      originalScheduleTime = backoff.originalScheduleTime;
    }
  }
}

/** Async for the microtasks it adds: histories have them. */
async function schedule(run: Run, input: LocalActivityInput): Promise<unknown> {
  checkRegistered(run, input.activityType);
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const { seq, activityType, options, typeInfo } = input;
    checkActivityOptions(options, `local activity '${activityType}'`);
    const activityId = String(seq);
    const context = activityContext(run, activityId, true);
    const groups = emit(
      run,
      {
        scheduleLocalActivity: {
          seq,
          activityId,
          activityType,
          attempt: input.attempt,
          originalScheduleTime: input.originalScheduleTime,
          headers: input.headers,
          arguments: argsToPayloads(run, input.args, context, typeInfo),
          scheduleToCloseTimeout: msOptionalToTs(options.scheduleToCloseTimeout, 'scheduleToCloseTimeout'),
          scheduleToStartTimeout: msOptionalToTs(options.scheduleToStartTimeout, 'scheduleToStartTimeout'),
          startToCloseTimeout: msOptionalToTs(options.startToCloseTimeout, 'startToCloseTimeout'),
          retryPolicy: options.retry && compileRetryPolicy(options.retry),
          localRetryThreshold: msOptionalToTs(options.localRetryThreshold, 'localRetryThreshold'),
          cancellationType: encodeActivityCancellationType(options.cancellationType), // unset: 0, TRY_CANCEL
        },
      },
      options,
      context,
    );
    const activity = new PendingActivity(
      run,
      seq,
      activityId,
      true,
      groups,
      typeInfo,
      scope,
      resolve,
      reject,
    );
    if (scope.cancellable) scope.listen(activity);
    pendingOf(run).add(OperationKind.Activity, seq, activity);
  });
}

/** Not on replay: what is in history need not be run. @throws LocalActivityNotRegisteredError */
function checkRegistered(run: Run, activityType: string): void {
  const names = run.worker.registration.activityNames;
  if (run.replaying || names === undefined || names.includes(activityType) || names.includes('default'))
    return;
  throw new LocalActivityNotRegisteredError(activityType, names);
}
