/** Activities without a workflow, started and cancelled on behalf of an operation. */
import {
  type ActivityFunction,
  compilePriority,
  compileRetryPolicy,
  type Duration,
  msOptionalToTs,
  type PayloadTypeInfo,
  type Priority,
  type RetryPolicy,
  type SearchAttributePair,
  type TypedSearchAttributes,
  ValueError,
} from '@perdure/common';
import { encodeUnifiedSearchAttributes } from '@perdure/common/lib/converter/payload-search-attributes';
import { encodeToPayload, encodeToPayloadsWithContext } from '@perdure/common/lib/internal-non-workflow';
import {
  ActivityIdConflictPolicy,
  ActivityIdReusePolicy,
} from '@perdure/proto/temporal/api/enums/v1/activity';
import { HandlerError, type StartOperationContext } from 'nexus-rpc';
import { handlerContext } from './context';
import { addLinkForCaller } from './links';
import { ATTACH_ON_CONFLICT, backingOf } from './started';
import { encodeOperationToken } from './token';

/** How an activity that backs an operation is run; `startToCloseTimeout` or `scheduleToCloseTimeout` is required. */
export interface ActivityOptions {
  /** Names the activity; a running one with this id is an error unless `idConflictPolicy` says otherwise. */
  id: string;
  /** (=the one that the handler runs on) */
  taskQueue?: string;
  args?: any[] | Readonly<any[]>;
  typeInfo?: PayloadTypeInfo;
  /** Longest time between two heartbeats. */
  heartbeatTimeout?: Duration;
  retry?: RetryPolicy;
  /** Limit of one attempt. */
  startToCloseTimeout?: Duration;
  /** Limit of the wait for a worker. */
  scheduleToStartTimeout?: Duration;
  /** Limit of the whole, retries included. */
  scheduleToCloseTimeout?: Duration;
  /** One line for user interfaces. */
  summary?: string;
  priority?: Priority;
  /** Wait before the first attempt. */
  startDelay?: Duration;
  /** (='ALLOW_DUPLICATE') */
  idReusePolicy?: 'ALLOW_DUPLICATE' | 'ALLOW_DUPLICATE_FAILED_ONLY' | 'REJECT_DUPLICATE';
  /** (='FAIL') */
  idConflictPolicy?: 'FAIL' | 'USE_EXISTING';
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
}

type ArgsOf<F> = F extends ActivityFunction<infer P, any> ? P : never;
type ResultOf<F> = F extends ActivityFunction<any, infer R> ? R : never;
type NameOf<T> = { [N in keyof T & string]: T[N] extends ActivityFunction<any, any> ? N : never }[keyof T &
  string];

/** {@link ActivityOptions} with the arguments of one activity of an interface. */
export type ActivityOptionsFor<T, N extends NameOf<T>> = Omit<ActivityOptions, 'args'> &
  (ArgsOf<T[N]> extends [any, ...any[]]
    ? { args: ArgsOf<T[N]> | Readonly<ArgsOf<T[N]>> }
    : { args?: ArgsOf<T[N]> | Readonly<ArgsOf<T[N]>> });

/** Starts activities of an interface. */
export interface NexusTypedActivityClient<T> {
  startActivity<N extends NameOf<T>>(
    activity: N,
    options: ActivityOptionsFor<T, N>,
  ): Promise<import('./temporal-result').TemporalOperationResult<ResultOf<T[N]>>>;
}

/**
 * @returns the operation's token
 * @throws {HandlerError} BAD_REQUEST: options are not valid; else as the server answers
 */
export async function startActivity(
  ctx: StartOperationContext,
  type: string,
  options: ActivityOptions,
): Promise<string> {
  const { client, namespace } = handlerContext();
  const fields = await fieldsOf(type, options).catch((error: unknown) => {
    if (error instanceof ValueError) throw new HandlerError('BAD_REQUEST', error.message, { cause: error });
    throw error;
  });
  const token = encodeOperationToken({ kind: 'activity', namespace, activityId: options.id, runId: '' });
  const { link } = await client.workflowService.startActivityExecution({
    ...fields,
    ...backingOf(ctx, token),
    onConflictOptions: ATTACH_ON_CONFLICT,
  });
  addLinkForCaller(ctx.outboundLinks, link);
  return token;
}

async function fieldsOf(type: string, options: ActivityOptions) {
  const { client, namespace, taskQueue } = handlerContext();
  const { identity, loadedDataConverter: converter } = client.options;
  const { id, args = [], typeInfo, summary, retry, priority, typedSearchAttributes } = options;
  const { idReusePolicy, idConflictPolicy, startToCloseTimeout, scheduleToCloseTimeout } = options;
  if (typeof id !== 'string' || id === '')
    throw new ValueError('activity options: id must be a non-empty text');
  if (startToCloseTimeout === undefined && scheduleToCloseTimeout === undefined) {
    throw new ValueError('activity options: startToCloseTimeout or scheduleToCloseTimeout is required');
  }
  const context = { type: 'activity', namespace, activityId: id, isLocal: false } as const;
  const input = await encodeToPayloadsWithContext(converter, context, args, typeInfo?.inputTypes);
  return {
    namespace,
    identity,
    activityId: id,
    activityType: { name: type },
    taskQueue: { name: options.taskQueue ?? taskQueue, kind: 1 }, // TASK_QUEUE_KIND_NORMAL
    startToCloseTimeout: msOptionalToTs(startToCloseTimeout, 'startToCloseTimeout'),
    scheduleToCloseTimeout: msOptionalToTs(scheduleToCloseTimeout, 'scheduleToCloseTimeout'),
    scheduleToStartTimeout: msOptionalToTs(options.scheduleToStartTimeout, 'scheduleToStartTimeout'),
    heartbeatTimeout: msOptionalToTs(options.heartbeatTimeout, 'heartbeatTimeout'),
    startDelay: msOptionalToTs(options.startDelay, 'startDelay'),
    retryPolicy: retry && compileRetryPolicy(retry),
    input: input && { payloads: input },
    priority: priority && compilePriority(priority),
    idReusePolicy: ActivityIdReusePolicy[`ACTIVITY_ID_REUSE_POLICY_${idReusePolicy ?? 'ALLOW_DUPLICATE'}`],
    idConflictPolicy: ActivityIdConflictPolicy[`ACTIVITY_ID_CONFLICT_POLICY_${idConflictPolicy ?? 'FAIL'}`],
    userMetadata:
      summary === undefined ? undefined : { summary: await encodeToPayload(converter, summary, context) },
    searchAttributes: typedSearchAttributes && {
      indexedFields: encodeUnifiedSearchAttributes(undefined, typedSearchAttributes),
    },
  };
}

/** Asks an activity to cancel. */
export async function cancelActivity({
  activityId,
  runId,
}: {
  readonly activityId: string;
  readonly runId: string;
}): Promise<void> {
  const { client, namespace } = handlerContext();
  await client.workflowService.requestCancelActivityExecution({
    namespace,
    activityId,
    runId,
    identity: client.options.identity,
    reason: 'the Nexus operation was cancelled',
  });
}
