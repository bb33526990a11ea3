/**
 * A session, seen from its workflow: activities that all run on one host.
 *
 *   OPEN → CLOSED   by `complete`
 *   OPEN → FAILED   when the host's `hold` activity ends before that: the host is gone
 *
 * Owns    the state, the activity that holds the place, the calls that wait for an answer.
 * Leaves  the choice of a host to the task queue, places and limits to the host (host.ts).
 * S1  Everything here is made of activities, one signal and timers: it replays as it ran.
 * S2  The holding activity is shielded from cancellation of the workflow: a session ends by `complete`, so that
 *     cleaning up on the host stays possible.
 * S3  When the session fails, every call that waits rejects at once with the SessionFailedError; its activity is
 *     asked to stop.
 */
import type { Duration } from '@perdure/common';
import { msToNumber } from '@perdure/common/lib/time';
import {
  ActivityCancellationType,
  ActivityFailure,
  type ActivityInterfaceFor,
  type ActivityOptions,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  TimeoutFailure,
  uuid4,
  workflowInfo,
} from '@perdure/workflow';
import {
  SessionClosedError,
  SessionCreationError,
  SessionFailedError,
  type SessionFailureReason,
} from './errors';
import {
  controlQueue,
  creationQueue,
  HOLD_ACTIVITY,
  HOST_STOPPED,
  type HostActivities,
  type Opened,
  openedSignal,
  RELEASE_ACTIVITY,
  type SessionPlace,
} from './protocol';

export interface SessionOptions {
  /** How long to wait for a host with a free place. */
  creationTimeout: Duration;
  /** Longest life of the session. */
  executionTimeout: Duration;
  /** The host is taken for lost when it gives no sign of life for this long. (='20s') */
  heartbeatTimeout?: Duration;
  /** Task queue of the workers with sessions. (=the workflow's) */
  taskQueue?: string;
}

/** `OPEN`: activities can be called. */
export type SessionState = 'OPEN' | 'CLOSED' | 'FAILED';

/** A session at one moment. */
export interface SessionInfo extends SessionPlace {
  readonly sessionId: string;
  readonly state: SessionState;
}

/** Leads back to a host, also from another run of the workflow; survives as JSON. */
export interface SessionToken {
  readonly taskQueue: string;
  readonly resourceId: string;
}

/** Options of a session's activities: all but the task queue, which is the host's. */
export type SessionActivityOptions = Omit<ActivityOptions, 'taskQueue' | 'allowEagerDispatch'>;

/** Wait between two tries to open a session. */
const RETRY_MS = 1000;
/** How long the host may take to hear that the session is over. */
const RELEASE_TIMEOUT = '10s';

/**
 * Opens a session on any host with a free place.
 * @throws {SessionCreationError} none had one within `creationTimeout`
 * @throws {CancelledFailure} the current scope was cancelled meanwhile
 */
export async function createSession(options: SessionOptions): Promise<Session> {
  return open(options, creationQueue(options.taskQueue ?? workflowInfo().taskQueue));
}

/**
 * Opens a session on the host of an earlier one, failed or complete, of this run or of an earlier one.
 * @throws {SessionCreationError} the host is gone, or had no free place within `creationTimeout`
 */
export async function recreateSession(token: SessionToken, options: SessionOptions): Promise<Session> {
  return open(options, controlQueue(token.taskQueue));
}

/**
 * Runs `fn` in a session and completes that, however `fn` ends.
 * @returns what `fn` returned
 * @throws what `fn` threw, and what {@link createSession} throws
 */
export async function withSession<R>(
  options: SessionOptions,
  fn: (session: Session) => Promise<R>,
): Promise<R> {
  const session = await createSession(options);
  try {
    return await fn(session);
  } finally {
    await session.complete();
  }
}

/** The activity that holds a place, and how it ended. */
interface Hold {
  readonly cancel: () => void;
  ended?: { readonly error: unknown };
  onEnd: () => void;
}

async function open(options: SessionOptions, taskQueue: string): Promise<Session> {
  const { heartbeatTimeout = '20s' } = options;
  const sessionId = uuid4();
  const deadlineMs = Date.now() + msToNumber(options.creationTimeout);
  let attempt = 0;
  let opened: Opened | undefined;
  setHandler(defineSignal<[Opened]>(openedSignal(sessionId)), (answer) => {
    if (answer.attempt === attempt) opened ??= answer;
  });
  for (;;) {
    attempt++;
    const leftMs = Math.max(1, deadlineMs - Date.now());
    const hold = startHold({ sessionId, attempt }, { ...options, heartbeatTimeout, taskQueue, leftMs });
    try {
      await condition(() => opened !== undefined || hold.ended !== undefined);
    } catch (error) {
      hold.cancel();
      throw error;
    }
    if (opened !== undefined) {
      const { attempt: _, ...place } = opened;
      return new Session(sessionId, place, hold);
    }
    const cause = causeOf(hold.ended?.error);
    if (Date.now() + RETRY_MS >= deadlineMs) {
      const message = `no host has opened the session within ${msToNumber(options.creationTimeout)} ms`;
      throw new SessionCreationError(sessionId, message, cause);
    }
    await sleep(RETRY_MS);
  }
}

interface HoldOptions extends SessionOptions {
  readonly taskQueue: string;
  readonly leftMs: number;
}

function startHold(request: { sessionId: string; attempt: number }, options: HoldOptions): Hold {
  const shield = new CancellationScope({ cancellable: false });
  const scope = new CancellationScope({ cancellable: true, parent: shield }); // S2
  const hold: Hold = { cancel: () => scope.cancel(), onEnd: () => undefined };
  const end = (error: unknown) => {
    hold.ended = { error };
    hold.onEnd();
  };
  const activities = proxyActivities<HostActivities>({
    taskQueue: options.taskQueue,
    scheduleToStartTimeout: options.leftMs,
    startToCloseTimeout: options.executionTimeout,
    heartbeatTimeout: options.heartbeatTimeout,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { maximumAttempts: 1 },
    summary: 'holds a session',
  });
  void scope.run(() => activities[HOLD_ACTIVITY](request)).then(() => end(undefined), end);
  return hold;
}

/** Activities on one host, see the table above. */
export class Session {
  #state: SessionState = 'OPEN';
  #failure: SessionFailedError | undefined;
  readonly #calls = new Set<(error: SessionFailedError) => void>();
  #rejectFailed!: (error: SessionFailedError) => void;
  /** Rejects with the SessionFailedError if the session fails; never resolves, and need not be handled. */
  readonly failed = new Promise<never>((_, reject) => {
    this.#rejectFailed = reject;
  });

  /** @internal use {@link createSession} */
  constructor(
    readonly sessionId: string,
    private readonly place: SessionPlace,
    private readonly hold: Hold,
  ) {
    this.failed.catch(() => undefined);
    hold.onEnd = () => this.#onHoldEnded(hold.ended?.error);
    if (hold.ended !== undefined) hold.onEnd();
  }

  get info(): SessionInfo {
    return { sessionId: this.sessionId, state: this.#state, ...this.place };
  }

  /** Leads back to this session's host, see {@link recreateSession}. */
  get token(): SessionToken {
    return { taskQueue: this.place.taskQueue, resourceId: this.place.resourceId };
  }

  /** What the session failed with; undefined unless it has. */
  get failure(): SessionFailedError | undefined {
    return this.#failure;
  }

  /**
   * Callables for activities that run on the session's host. They reject as those of `proxyActivities` do, and with
   * @throws {SessionFailedError} the host is gone, before the call or during it
   * @throws {SessionClosedError} the session is complete
   */
  proxyActivities<A>(options: SessionActivityOptions): ActivityInterfaceFor<A> {
    const own = { ...options, taskQueue: this.place.taskQueue };
    const activities = proxyActivities<Record<string, AnyActivity>>(own) as unknown as Record<
      string,
      AnyActivity
    >;
    return new Proxy({} as object, {
      get: (_target, name) => {
        if (typeof name !== 'string' || name === 'then') return undefined; // as the proxy below it
        const activity = activities[name]!;
        const call = (...args: unknown[]) => this.#call(() => activity(...args));
        return Object.assign(call, {
          executeWithOptions: (override: SessionActivityOptions, args: unknown[]) =>
            this.#call(() => activity.executeWithOptions({ ...override, taskQueue: own.taskQueue }, args)),
        });
      },
    }) as ActivityInterfaceFor<A>;
  }

  /**
   * Ends the session and frees its place; resolves once the host knows, or cannot be told. Does nothing in a session
   * that has ended. Activities that still run go on.
   */
  async complete(): Promise<void> {
    if (this.#state !== 'OPEN') return;
    this.#state = 'CLOSED';
    const ended = new Promise<void>((resolve) => {
      this.hold.onEnd = resolve;
    });
    await CancellationScope.nonCancellable(async () => {
      const host = proxyActivities<HostActivities>({
        taskQueue: controlQueue(this.place.taskQueue),
        scheduleToCloseTimeout: RELEASE_TIMEOUT,
        cancellationType: ActivityCancellationType.TRY_CANCEL,
        summary: 'ends a session',
      });
      const told = host[RELEASE_ACTIVITY](this.sessionId).catch(() => false);
      const known = await Promise.race([told, ended.then(() => true)]);
      // A host that does not listen hears of it with the answer to its next heartbeat.
      if (!known && this.hold.ended === undefined) this.hold.cancel();
    });
  }

  async #call<R>(fn: () => Promise<R>): Promise<R> {
    if (this.#state === 'CLOSED') throw new SessionClosedError(this.sessionId);
    if (this.#failure !== undefined) throw this.#failure;
    const scope = new CancellationScope();
    return new Promise<R>((resolve, reject) => {
      const giveUp = (error: SessionFailedError) => {
        reject(error); // S3
        scope.cancel();
      };
      this.#calls.add(giveUp);
      scope
        .run(fn)
        .then(resolve, reject)
        .finally(() => this.#calls.delete(giveUp));
    });
  }

  #onHoldEnded(error: unknown): void {
    if (this.#state !== 'OPEN') return;
    this.#state = 'FAILED';
    const { reason, text } = whyEnded(error);
    const message = `session ${this.sessionId} on ${this.place.hostname} has failed: ${text}`;
    this.#failure = new SessionFailedError(this.sessionId, message, reason, causeOf(error));
    this.#rejectFailed(this.#failure);
    for (const giveUp of [...this.#calls]) giveUp(this.#failure); // S3
  }
}

type AnyActivity = ((...args: unknown[]) => Promise<any>) & {
  executeWithOptions(options: ActivityOptions, args: unknown[]): Promise<any>;
};

function whyEnded(error: unknown): { reason: SessionFailureReason; text: string } {
  const cause = causeOf(error);
  if (cause instanceof TimeoutFailure) {
    return cause.timeoutType === 'HEARTBEAT'
      ? { reason: 'HOST_LOST', text: 'its host gives no sign of life' }
      : { reason: 'EXECUTION_TIMEOUT', text: 'it lasted longer than executionTimeout' };
  }
  if (cause instanceof ApplicationFailure && cause.type === HOST_STOPPED) {
    return { reason: 'HOST_STOPPED', text: 'the worker on its host was shut down' };
  }
  return { reason: 'OTHER', text: cause?.message ?? 'its host ended it' };
}

/** What an activity failed with. */
function causeOf(error: unknown): Error | undefined {
  const cause = error instanceof ActivityFailure && !isCancellation(error) ? error.cause : error;
  return cause instanceof Error ? cause : undefined;
}
