/**
 * Activities that run on activity workers.
 *
 * X1  An activity uses its number even if its scope is cancelled already and nothing is scheduled; ids in
 *     history depend on it.
 * X2  Cancellation only asks: the promise settles when the core reports the outcome, which depends on the
 *     cancellation type.
 */
import {
  type CancelledFailure,
  compilePriority,
  compileRetryPolicy,
  msOptionalToTs,
  type PayloadTypeInfo,
  type UntypedActivities,
} from '@perdure/common';
import { encodeActivityCancellationType } from '@perdure/common/lib/activity-options';
import { versioningIntentToProto } from '@perdure/common/lib/versioning-intent';
import type { ActivityResolution } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';
import {
  type ActivityInterfaceFor,
  type ActivityOptions,
  type ActivityProxyOptions,
  checkActivityOptions,
} from './activity-options';
import { type CancellationScope, currentScope, rejectCancelled } from './cancellation-scope';
import { type EventGroups, emit, emitCancel, pendingOf } from './commands';
import { ActivationError } from './errors';
import { type ActivityInput, intercept } from './interceptors';
import { LocalActivityDoBackoff } from './local-activity-backoff';
import { activityContext, argsToPayloads, failureToError, fromPayload } from './payloads';
import {
  type CancelListener,
  OperationKind,
  type PendingOperation,
  type Reject,
  type Resolve,
} from './runtime/operations';
import { type Run, requireWritableRun } from './runtime/run';

/**
 * Callables for activities, by name. May be called at the top level of a module.
 * @throws ValueError if the options have no startToCloseTimeout and no scheduleToCloseTimeout
 */
export function proxyActivities<A = UntypedActivities>(
  options: ActivityProxyOptions<A>,
): ActivityInterfaceFor<A> {
  checkActivityOptions(options, 'proxyActivities()');
  const { activityTypeInfo, ...own } = options;
  return activityProxy((name, override, args) =>
    scheduleActivity(name, args, withOverride(own, override), typeInfoOf(activityTypeInfo, name)),
  ) as ActivityInterfaceFor<A>;
}

/** Older spelling of proxyActivities, from before version 1.0 of Temporal's TypeScript SDK. */
export function createActivityHandle<A = UntypedActivities>(
  options: ActivityProxyOptions<A>,
): ActivityInterfaceFor<A> {
  return proxyActivities(options);
}

/** An object whose every string-named member is a function that calls `execute`. Members are made once. */
export function activityProxy<O>(
  execute: (name: string, override: O | undefined, args: unknown[]) => Promise<unknown>,
): object {
  const members = new Map<string, unknown>();
  return new Proxy(
    {},
    {
      get(_target, name) {
        // Symbols are asked for by the language; `then` is no activity, so that the proxy can be awaited.
        if (typeof name !== 'string' || name === 'then') return undefined;
        let member = members.get(name);
        if (member === undefined) {
          const call = (...args: unknown[]) => execute(name, undefined, args);
          member = Object.assign(call, {
            executeWithOptions: (override: O, args: unknown[]) => execute(name, override, args ?? []),
          });
          members.set(name, member);
        }
        return member;
      },
    },
  );
}

/**
 * Options of a proxy with those of one call: what the call names replaces, and objects (retry policies, priorities) are
 * merged field by field.
 */
export function withOverride<O extends object>(own: O, override: unknown): O {
  if (!isGroup(override)) return own;
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(own));
  for (const [name, value] of Object.entries(override)) {
    const mine = merged[name];
    merged[name] = isGroup(value) && isGroup(mine) ? withOverride(mine, value) : value;
  }
  return merged as O;
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function typeInfoOf(map: object | undefined, name: string): PayloadTypeInfo | undefined {
  if (map === undefined || !Object.hasOwn(map, name)) return undefined;
  return (map as Record<string, PayloadTypeInfo>)[name];
}

/**
 * Schedules an activity by name. Use proxyActivities in applications.
 * @throws ActivityFailure with the reason as `cause`
 */
export function scheduleActivity<R>(
  activityType: string,
  args: any[],
  options: ActivityOptions,
  typeInfo?: PayloadTypeInfo,
): Promise<R> {
  const run = requireWritableRun('Activities');
  checkActivityOptions(options, `activity '${activityType}'`);
  const seq = run.nextSeqs.activity++; // X1
  const input: ActivityInput = { activityType, args, options, headers: {}, seq, typeInfo };
  const interceptors = run.interceptors;
  if (interceptors === undefined) return schedule(run, input) as Promise<R>;
  return intercept(interceptors.outbound, 'scheduleActivity', (changed: ActivityInput) =>
    schedule(run, changed),
  )(input) as Promise<R>;
}

function schedule(run: Run, input: ActivityInput): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const scope = currentScope(run);
    if (scope.consideredCancelled) return rejectCancelled(scope, reject);
    const { seq, activityType, options, typeInfo } = input;
    checkActivityOptions(options, `activity '${activityType}'`);
    const activityId = options.activityId ?? String(seq);
    const context = activityContext(run, activityId, false);
    const groups = emit(
      run,
      {
        scheduleActivity: {
          seq,
          activityId,
          activityType,
          taskQueue: options.taskQueue || run.worker.registration.taskQueue,
          headers: input.headers,
          arguments: argsToPayloads(run, input.args, context, typeInfo),
          scheduleToCloseTimeout: msOptionalToTs(options.scheduleToCloseTimeout, 'scheduleToCloseTimeout'),
          scheduleToStartTimeout: msOptionalToTs(options.scheduleToStartTimeout, 'scheduleToStartTimeout'),
          startToCloseTimeout: msOptionalToTs(options.startToCloseTimeout, 'startToCloseTimeout'),
          heartbeatTimeout: msOptionalToTs(options.heartbeatTimeout, 'heartbeatTimeout'),
          retryPolicy: options.retry && compileRetryPolicy(options.retry),
          cancellationType: encodeActivityCancellationType(options.cancellationType), // unset: 0, TRY_CANCEL
          doNotEagerlyExecute: options.allowEagerDispatch === false,
          versioningIntent: versioningIntentToProto(options.versioningIntent),
          priority: options.priority && compilePriority(options.priority),
        },
      },
      options,
      context,
    );
    const activity = new PendingActivity(
      run,
      seq,
      activityId,
      false,
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

/** A remote or a local activity that has been scheduled. */
export class PendingActivity implements CancelListener, PendingOperation {
  constructor(
    private readonly run: Run,
    private readonly seq: number,
    readonly activityId: string,
    readonly isLocal: boolean,
    private readonly groups: EventGroups,
    readonly typeInfo: PayloadTypeInfo | undefined,
    readonly scope: CancellationScope,
    readonly resolve: Resolve,
    readonly reject: Reject,
  ) {}

  onCancel(_error: CancelledFailure): void {
    const { run, seq } = this;
    if (run.pending?.has(OperationKind.Activity, seq) !== true) return;
    const command = this.isLocal
      ? { requestCancelLocalActivity: { seq } }
      : { requestCancelActivity: { seq } };
    emitCancel(run, command, this.isLocal ? undefined : this.groups); // X2; the other leaves no event to be marked
  }
}

/** Applies a ResolveActivity job. */
export function resolveActivity(run: Run, seq: number, result: ActivityResolution | undefined): void {
  const activity = run.pending?.take(OperationKind.Activity, seq) as PendingActivity | undefined;
  if (activity === undefined) return;
  activity.scope.unlisten(activity);
  const { activityId, isLocal, typeInfo } = activity;
  const context = activityContext(run, activityId, isLocal);
  if (result?.completed !== undefined) {
    let value: unknown;
    try {
      value = fromPayload(run, result.completed.result, context, typeInfo?.outputType);
    } catch (error) {
      activity.reject(error);
      return;
    }
    activity.resolve(value);
  } else if (result?.failed !== undefined) {
    activity.reject(failureToError(run, result.failed.failure, context));
  } else if (result?.cancelled !== undefined) {
    activity.reject(failureToError(run, result.cancelled.failure, context));
  } else if (result?.backoff !== undefined) {
    activity.reject(new LocalActivityDoBackoff(result.backoff));
  } else {
    throw new ActivationError(`Activity ${activityId} was resolved without an outcome`);
  }
}
