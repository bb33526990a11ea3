/** Activities without a workflow, started and cancelled on behalf of an operation. */
import type {
  ActivityName,
  ActivityResult,
  ActivityOptions as ClientActivityOptions,
  ActivityOptionsFor as ClientActivityOptionsFor,
} from '@perdure/client';
import type { StartOperationContext } from 'nexus-rpc';
import { handlerContext } from './context';
import { ATTACH_ON_CONFLICT, backingOf, callWith } from './started';
import type { TemporalOperationResult } from './temporal-result';
import { encodeOperationToken } from './token';

type OptionalTaskQueue<T> = T extends unknown
  ? Omit<T, 'taskQueue'> & {
      /** (=the one that the handler runs on) */
      taskQueue?: string;
    }
  : never;

/** As the client's, but for the task queue. */
export type ActivityOptions = OptionalTaskQueue<ClientActivityOptions>;

/** {@link ActivityOptions} with the arguments of one activity of an interface. */
export type ActivityOptionsFor<T, N extends ActivityName<T>> = OptionalTaskQueue<
  ClientActivityOptionsFor<T, N>
>;

/** Starts activities of an interface. */
export interface NexusTypedActivityClient<T> {
  startActivity<N extends ActivityName<T>>(
    activity: N,
    options: ActivityOptionsFor<T, N>,
  ): Promise<TemporalOperationResult<ActivityResult<T, N>>>;
}

/**
 * Starts the activity that backs an operation: when it ends, so does the operation.
 * Callback, links and request id of the operation are attached, also to an activity that runs already, if
 * `idConflictPolicy` is USE_EXISTING.
 * @returns the operation's token
 * @throws as the client's `start`; {HandlerError} BAD_REQUEST when options are not valid
 */
export async function startActivity(
  ctx: StartOperationContext,
  type: string,
  options: ActivityOptions,
): Promise<string> {
  const { client, taskQueue, namespace } = handlerContext();
  const { id } = options;
  const token = encodeOperationToken({ kind: 'activity', namespace, activityId: id, runId: '' });
  await callWith(
    ctx,
    {
      method: 'startActivityExecution',
      matches: (request) => request.activityId === id,
      extend: (request) => ({
        ...request,
        ...backingOf(ctx, token),
        onConflictOptions: ATTACH_ON_CONFLICT,
      }),
      linkOf: (response) => response.link,
    },
    () => client.activity.start(type, { ...options, taskQueue: options.taskQueue ?? taskQueue }),
  );
  return token;
}

/** Asks an activity to cancel. */
export async function cancelActivity({
  activityId,
  runId,
}: {
  readonly activityId: string;
  readonly runId: string;
}): Promise<void> {
  await handlerContext()
    .client.activity.getHandle(activityId, runId)
    .cancel('the Nexus operation was cancelled');
}
