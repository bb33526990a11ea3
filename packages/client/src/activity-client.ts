/**
 * The client for activities: those that no workflow has started, and completion from outside.
 *
 * Owns    the public methods, the chains of interceptors, the handles.
 * Leaves  requests and responses to activity-client-calls.ts, completion to async-completion-client.ts.
 * H1  Every call that interceptors can see goes through them, also when a handle makes it.
 */
import { composeInterceptors, type Next, type TypeInfo, ValueError } from '@perdure/common';
import {
  activityResult,
  cancelActivity,
  countActivities,
  describeActivity,
  listActivities,
  pauseActivity,
  resetActivity,
  restoreActivityOptions,
  startActivity,
  terminateActivity,
  unpauseActivity,
  updateActivityOptions,
} from './activity-client-calls';
import type { ActivityClientInterceptor } from './activity-client-interceptors';
import type {
  ActivityDescribeOptions,
  ActivityName,
  ActivityOptions,
  ActivityOptionsFor,
  ActivityOptionsUpdate,
  ActivityOptionsUpdateResult,
  ActivityPauseOptions,
  ActivityResetOptions,
  ActivityResult,
  ActivityUnpauseOptions,
  GetActivityHandleOptions,
} from './activity-client-options';
import type {
  ActivityExecutionDescription,
  ActivityExecutionInfo,
  CountActivityExecutions,
} from './activity-client-types';
import { AsyncCompletionClient, type AsyncCompletionClientOptions } from './async-completion-client';
import { extendedService } from './request-extras';
import type { CallSite } from './workflow-calls';

export interface ActivityClientOptions extends AsyncCompletionClientOptions {
  /** Outermost first. */
  interceptors?: ActivityClientInterceptor[];
}

/**
 * One activity that no workflow has started.
 *
 * Every method throws ActivityNotFoundError if there is none, ServerFeatureUnavailableError if the server has no such
 * activities, and ServiceError for what else the server answers.
 */
export interface ActivityHandle<R = any> {
  readonly activityId: string;
  /** The run; the latest one if not given. */
  readonly runId?: string;
  /**
   * Waits until the activity has ended.
   * @throws {ActivityExecutionFailedError} it did not complete; `cause` says how it ended
   */
  result(): Promise<R>;
  describe(options?: ActivityDescribeOptions): Promise<ActivityExecutionDescription>;
  /** Asks the activity to cancel: it sees that with its next heartbeat, and may go on all the same. */
  cancel(reason: string): Promise<void>;
  /** Ends the activity; the worker that runs it is not told. */
  terminate(reason: string): Promise<void>;
  /**
   * No further attempt begins. One that runs sees it with its next heartbeat.
   * @experimental
   */
  pause(options?: ActivityPauseOptions): Promise<void>;
  /** @experimental */
  unpause(options?: ActivityUnpauseOptions): Promise<void>;
  /**
   * Counts attempts from one again; an activity that waits for its next attempt begins at once. Not in the official
   * client.
   * @experimental
   */
  reset(options?: ActivityResetOptions): Promise<void>;
  /**
   * Changes the options of a running activity.
   * @returns all options as they are then
   * @throws {ValueError} options that cannot be, or none
   * @experimental
   */
  updateOptions(options: ActivityOptionsUpdate): Promise<ActivityOptionsUpdateResult>;
  /**
   * Gives a running activity the options back that it was started with.
   * @experimental
   */
  restoreOriginalOptions(): Promise<ActivityOptionsUpdate>;
}

/** An {@link ActivityClient} whose names, arguments and results are held against an interface of activities. */
export interface TypedActivityClient<T> {
  start<N extends ActivityName<T>>(
    activity: N,
    options: ActivityOptionsFor<T, N>,
  ): Promise<ActivityHandle<ActivityResult<T, N>>>;
  execute<N extends ActivityName<T>>(
    activity: N,
    options: ActivityOptionsFor<T, N>,
  ): Promise<ActivityResult<T, N>>;
}

type Method = keyof ActivityClientInterceptor;
type Calls = { readonly [M in Method]: Next<ActivityClientInterceptor, M> };

/** Starts activities without a workflow, finds them, acts on them; completes activities of all kinds from outside. */
export class ActivityClient extends AsyncCompletionClient implements TypedActivityClient<any> {
  /** What handles and methods call: the interceptors, then the RPC (H1). */
  private readonly calls: Calls;

  constructor(options: ActivityClientOptions = {}) {
    super(options);
    const { interceptors = [] } = options;
    const composed = <M extends Method>(method: M, last: Next<ActivityClientInterceptor, M>) =>
      composeInterceptors(interceptors, method, last);
    this.calls = {
      start: composed('start', async (input) => {
        const { id, typeInfo } = input.options;
        return this.makeHandle(id, await startActivity(this.site, input), typeInfo?.outputType);
      }),
      getResult: composed('getResult', (input) => activityResult(this.site, input)),
      describe: composed('describe', (input) => describeActivity(this.site, input)),
      cancel: composed('cancel', (input) => cancelActivity(this.site, input)),
      terminate: composed('terminate', (input) => terminateActivity(this.site, input)),
      list: composed('list', (input) => listActivities(this.site, input)),
      count: composed('count', (input) => countActivities(this.site, input)),
      pause: composed('pause', (input) => pauseActivity(this.site, input)),
      unpause: composed('unpause', (input) => unpauseActivity(this.site, input)),
      reset: composed('reset', (input) => resetActivity(this.site, input)),
      updateOptions: composed('updateOptions', (input) => updateActivityOptions(this.site, input)),
      restoreOriginalOptions: composed('restoreOriginalOptions', (input) =>
        restoreActivityOptions(this.site, input),
      ),
    };
  }

  /** What the calls need of this client; the service is read at each call. */
  private get site(): CallSite {
    return {
      workflowService: extendedService(this.workflowService),
      namespace: this.base.namespace,
      identity: this.base.identity,
      data: this.data,
    };
  }

  /** This very client, with the types of an interface of activities: `client.activity.typed<typeof activities>()`. */
  typed<T>(): TypedActivityClient<T> {
    return this;
  }

  /**
   * Starts an activity without a workflow.
   * @param activity  the name that workers know it by
   * @returns a handle to the new run, or to the one that has the id if `idConflictPolicy` allows that
   * @throws {ActivityExecutionAlreadyStartedError} the id is in use and the policies refuse
   * @throws {ServerFeatureUnavailableError} the server has no such activities
   * @throws {NamespaceNotFoundError} @throws {ServiceError} @throws {ValueError} wrong options
   */
  async start<R = any>(activity: string, options: ActivityOptions): Promise<ActivityHandle<R>> {
    return await this.calls.start({ activityType: activity, options, headers: {} });
  }

  /** Starts an activity and waits for its result; throws as `start` and `ActivityHandle.result` do. */
  async execute<R = any>(activity: string, options: ActivityOptions): Promise<R> {
    return await (await this.start<R>(activity, options)).result();
  }

  /**
   * A handle, without asking the server.
   * @param runId  the run; without it the handle acts on the latest one at each call
   */
  getHandle<R = any>(activityId: string, runId?: string): ActivityHandle<R> {
    return this.makeHandle(activityId, runId);
  }

  /** A handle that knows how the result converts, without asking the server. */
  getHandleWithOptions<R = any>(
    activityId: string,
    { runId, typeInfo }: GetActivityHandleOptions,
  ): ActivityHandle<R> {
    return this.makeHandle(activityId, runId, typeInfo?.outputType);
  }

  /**
   * The activities that a query finds, read page by page. Approximate, and some time behind.
   * @param query  e.g. `ActivityType = 'charge' AND ExecutionStatus = 'Running'`; empty for all
   */
  list(query: string): AsyncIterable<ActivityExecutionInfo> {
    return this.calls.list({ query, headers: {} });
  }

  /** The number of activities that a query finds, by groups if the query has GROUP BY. Approximate. */
  async count(query: string): Promise<CountActivityExecutions> {
    return await this.calls.count({ query, headers: {} });
  }

  private makeHandle<R>(
    activityId: string,
    runId: string | undefined,
    outputType?: TypeInfo<any, any>,
  ): ActivityHandle<R> {
    if (typeof activityId !== 'string' || activityId === '') {
      throw new ValueError('Invalid activity id: it must be a string that is not empty');
    }
    const { calls } = this;
    const target = { activityId, activityRunId: runId ?? '', headers: {} };
    return {
      activityId,
      runId,
      result: () => calls.getResult({ ...target, outputType }),
      describe: ({
        includeInput = false,
        includeOutcome = false,
        includeHeartbeatDetails = false,
        includeLastFailure = false,
      } = {}) =>
        calls.describe({
          ...target,
          options: { includeInput, includeOutcome, includeHeartbeatDetails, includeLastFailure },
        }),
      cancel: (reason) => calls.cancel({ ...target, reason }),
      terminate: (reason) => calls.terminate({ ...target, reason }),
      pause: (options = {}) => calls.pause({ ...target, options }),
      unpause: (options = {}) => calls.unpause({ ...target, options }),
      reset: (options = {}) => calls.reset({ ...target, options }),
      updateOptions: (options) => calls.updateOptions({ ...target, options }),
      restoreOriginalOptions: () => calls.restoreOriginalOptions(target),
    };
  }
}
