/**
 * The places for sessions on one host.
 *
 * Owns    which sessions are open here, and the activities that open and end them.
 * H1  Never more than `maxSessions` sessions are open.
 * H2  A place is free again when its session is released, its workflow is gone or the worker stops.
 */
import { activityInfo, Context } from '@perdure/activity';
import { ApplicationFailure } from '@perdure/common';
import {
  HOST_FULL,
  HOST_STOPPED,
  type HoldRequest,
  type Opened,
  openedSignal,
  type SessionPlace,
} from './protocol';

/** Longest time between two heartbeats of a session, in milliseconds. */
export const HEARTBEAT_MS = 5000;

export class SessionHost {
  /** What ends a session, by its id. */
  readonly #open = new Map<string, () => void>();

  constructor(
    private readonly place: SessionPlace,
    private readonly maxSessions: number,
  ) {}

  /** Ids of the sessions that are open here. */
  get sessions(): readonly string[] {
    return [...this.#open.keys()];
  }

  /** Activity: opens a session, and ends when that does. */
  readonly hold = async ({ sessionId, attempt }: HoldRequest): Promise<void> => {
    if (this.#open.size >= this.maxSessions) {
      throw ApplicationFailure.retryable(`all ${this.maxSessions} places for sessions are taken`, HOST_FULL); // H1
    }
    const context = Context.current();
    const released = new Promise<void>((resolve) => {
      this.#open.set(sessionId, resolve);
    });
    try {
      context.heartbeat();
      await this.#tell(sessionId, attempt);
      await this.#keepAlive(context, released);
    } finally {
      this.#open.delete(sessionId); // H2
    }
  };

  /** Activity: ends a session. @returns false if it is not open here */
  readonly release = async (sessionId: string): Promise<boolean> => {
    const release = this.#open.get(sessionId);
    release?.();
    return release !== undefined;
  };

  /** Tells the workflow where its session is. */
  async #tell(sessionId: string, attempt: number): Promise<void> {
    const { workflowExecution } = activityInfo();
    if (workflowExecution === undefined) throw ApplicationFailure.nonRetryable('sessions are for workflows');
    const { workflowId, runId } = workflowExecution;
    const opened: Opened = { ...this.place, attempt };
    await Context.current()
      .client.workflow.getHandle(workflowId, runId)
      .signal(openedSignal(sessionId), opened);
  }

  async #keepAlive(context: Context, released: Promise<void>): Promise<void> {
    const beatMs = Math.min(HEARTBEAT_MS, (context.info.heartbeatTimeoutMs ?? HEARTBEAT_MS) / 4);
    const beat = setInterval(() => context.heartbeat(), beatMs);
    try {
      await Promise.race([released, context.cancelled]);
    } catch (error) {
      if (context.cancellationDetails?.workerShutdown) {
        throw ApplicationFailure.retryable('the worker on the session host was shut down', HOST_STOPPED);
      }
      throw error;
    } finally {
      clearInterval(beat);
    }
  }
}
