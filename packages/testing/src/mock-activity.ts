/**
 * `MockActivityEnvironment`: calls activity functions in a context of the test's making, without worker or server.
 *
 * M1  One context for all calls of an environment; once cancelled it stays so.
 * M2  Arguments, results and errors pass as they are: nothing is encoded.
 */
import { EventEmitter } from 'node:events';
import type { Context, Info } from '@perdure/activity';
import {
  type ActivityInterceptorsFactory,
  type CancelReason,
  DetachedActivity,
} from '@perdure/activity/runner';
import type { Client } from '@perdure/client';
import type { ActivityCancellationDetails, ActivityFunction, Logger, MetricMeter } from '@perdure/common';
import { DefaultLogger } from '@perdure/worker';

export interface MockActivityEnvironmentOptions {
  /** Outermost first. (=none) */
  interceptors?: ActivityInterceptorsFactory[];
  /** (=one that writes to stderr) */
  logger?: Logger;
  /** (=one that records nothing) */
  metricMeter?: MetricMeter;
  /** What `Context.client` and `getClient()` give. (=none) */
  client?: Client;
}

const TASK_TOKEN = Buffer.from('test');

/** What an activity in a mock environment finds in its `info`, unless told otherwise. */
export const defaultActivityInfo: Info = {
  taskToken: TASK_TOKEN,
  base64TaskToken: TASK_TOKEN.toString('base64'),
  activityId: 'test',
  activityType: 'unknown',
  attempt: 1,
  isLocal: false,
  workflowExecution: { workflowId: 'test', runId: 'dead-beef' },
  workflowType: 'test',
  scheduledTimestampMs: 1,
  currentAttemptScheduledTimestampMs: 1,
  startToCloseTimeoutMs: 1000,
  scheduleToCloseTimeoutMs: 1000,
  heartbeatDetails: undefined,
  taskQueue: 'test',
  namespace: 'default',
  inWorkflow: true,
  activityNamespace: 'default',
  workflowNamespace: 'default',
};

/** Emits `heartbeat` with what the activity gives to it. */
export class MockActivityEnvironment extends EventEmitter {
  /** The context that functions run in. M1 */
  readonly context: Context;
  /**
   * Cancels the context.
   * @param reason   (='CANCELLED')
   * @param details  what `cancellationDetails` gives; those that belong to the reason unless given
   */
  readonly cancel: (reason?: CancelReason, details?: ActivityCancellationDetails) => void;
  readonly #activity: DetachedActivity;

  /** @param info  fields that differ from {@link defaultActivityInfo} */
  constructor(info?: Partial<Info>, opts: MockActivityEnvironmentOptions = {}) {
    super();
    const { interceptors, logger = new DefaultLogger(), metricMeter, client } = opts;
    this.#activity = new DetachedActivity({
      ...{ interceptors, logger, metricMeter, client },
      info: { ...defaultActivityInfo, ...info },
      onHeartbeat: (details) => void this.emit('heartbeat', details),
    });
    this.context = this.#activity.context;
    this.cancel = (reason, details) => this.#activity.cancel(reason, details);
  }

  /** Calls an activity function in the context; gives its result, or rejects with its error. M2 */
  async run<P extends any[], R, F extends ActivityFunction<P, R>>(
    fn: F & ActivityFunction<P, R>, // the second part lets R be inferred
    ...args: P
  ): Promise<R> {
    return (await this.#activity.run(fn, args)) as R;
  }
}
