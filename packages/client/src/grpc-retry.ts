/**
 * Retries of unary calls, also as a grpc-js interceptor.
 *
 * Owns    which statuses are worth another attempt, and how long to wait before it.
 * G1  A call is repeated only while its own deadline allows; past it the status is DEADLINE_EXCEEDED and tells the
 *     last failure.
 * G2  Cancelling a call also ends a wait between two attempts; the status is CANCELLED and tells the last failure.
 * G3  A long poll that was under way when its connection broke begins to count its attempts anew: it may have to wait
 *     for hours, over any number of connections.
 *
 * Repeating is safe because every request that changes something carries a request id that stays the same.
 */
import type {
  Metadata as GrpcMetadata,
  InterceptingListener,
  Interceptor,
  StatusObject,
  status,
} from '@grpc/grpc-js';
import { grpc, grpcStatus } from './grpc';

export interface GrpcRetryOptions {
  /** Milliseconds to wait before the next attempt; `attempt` counts from 1. */
  delayFunction(attempt: number, status: StatusObject): number;
  /** Whether there is a next attempt. */
  retryableDecider(attempt: number, status: StatusObject): boolean;
}

export interface BackoffOptions {
  /**
   * Base of the exponential growth.
   * @default 1.7
   */
  factor: number;
  /**
   * How many attempts are made at most.
   * @default 10
   */
  maxAttempts: number;
  /**
   * Largest random change of a wait, as a share of it.
   * @default 0.2
   */
  maxJitter: number;
  /**
   * First wait in milliseconds.
   * @default 100, and 1000 after RESOURCE_EXHAUSTED
   */
  initialIntervalMs(status: StatusObject): number;
  /**
   * Longest wait in milliseconds.
   * @default 5000
   */
  maxIntervalMs(status: StatusObject): number;
}

const RETRYABLE: ReadonlySet<status> = new Set<status>([
  grpcStatus.UNKNOWN,
  grpcStatus.RESOURCE_EXHAUSTED,
  grpcStatus.UNAVAILABLE,
  grpcStatus.ABORTED,
  grpcStatus.DATA_LOSS,
  grpcStatus.OUT_OF_RANGE,
]);
/** INTERNAL also covers broken connections, which another attempt may mend; the server's own errors read otherwise. */
const BROKEN_CONNECTION =
  /RST_STREAM|GOAWAY|ECONNRESET|EPIPE|stream (was )?(closed|reset|terminated)|connection (was )?(closed|dropped|reset)/i;

/** A call that was open for this long had a connection, and waited for the server. */
const LASTED_MS = 500;

/** G3 */
function brokeOff(lastedMs: number, { details }: StatusObject): boolean {
  return (
    lastedMs >= LASTED_MS && BROKEN_CONNECTION.test(details) && !/no connection established/i.test(details)
  );
}

/** Whether another attempt may succeed where this one failed. */
export function isRetryableError({ code, details }: StatusObject): boolean {
  return RETRYABLE.has(code) || (code === grpcStatus.INTERNAL && BROKEN_CONNECTION.test(details));
}

/** Waits of `initial × factor^(attempt-1)`, capped, with jitter. */
export function defaultGrpcRetryOptions(options: Partial<BackoffOptions> = {}): GrpcRetryOptions {
  const {
    factor = 1.7,
    maxAttempts = 10,
    maxJitter = 0.2,
    initialIntervalMs = ({ code }: StatusObject) => (code === grpcStatus.RESOURCE_EXHAUSTED ? 1_000 : 100),
    maxIntervalMs = () => 5_000,
  } = options;
  return {
    delayFunction(attempt, failure) {
      const wait = Math.min(initialIntervalMs(failure) * factor ** (attempt - 1), maxIntervalMs(failure));
      return wait * (1 + maxJitter * (Math.random() * 2 - 1));
    },
    retryableDecider: (attempt, failure) => attempt < maxAttempts && isRetryableError(failure),
  };
}

function deadlineMs(deadline: Date | number | undefined): number {
  if (deadline === undefined) return Number.POSITIVE_INFINITY;
  return typeof deadline === 'number' ? deadline : deadline.getTime();
}

/** A call as its attempts see it. */
export interface RepeatedCall {
  /**
   * Begins the next attempt.
   * @throws {Error} none can be made: the connection was closed
   */
  again(): void;
  /** No further attempt: the call ends with this status. */
  finish(status: StatusObject): void;
}

/** The attempts of one call: whether there is another, when it begins, and which status the call ends with. */
export class Attempts {
  private made = 1;
  private begunAtMs = Date.now();
  private timer: NodeJS.Timeout | undefined;
  private failure: StatusObject | undefined;

  /** @param deadline  of the call, for all attempts */
  constructor(
    private readonly options: GrpcRetryOptions,
    private readonly deadline: Date | number | undefined,
    private readonly call: RepeatedCall,
  ) {}

  /** Whether the first attempt is still the one. */
  get areFirst(): boolean {
    return this.made === 1;
  }

  /** The attempt under way has ended. */
  ended(status: StatusObject): void {
    if (status.code === grpcStatus.OK) {
      this.call.finish(status);
      return;
    }
    if (brokeOff(Date.now() - this.begunAtMs, status)) this.made = 1; // G3
    if (!this.options.retryableDecider(this.made, status)) {
      this.call.finish(status);
      return;
    }
    this.failure = status;
    const waitMs = this.options.delayFunction(this.made, status);
    const leftMs = deadlineMs(this.deadline) - Date.now();
    this.timer =
      waitMs >= leftMs
        ? setTimeout(() => this.finishLate(status), Math.max(0, leftMs)) // G1: no attempt fits any more
        : setTimeout(() => this.next(status), waitMs);
  }

  /** Ends a wait between two attempts, and the call with it (G2); false while an attempt is under way. */
  cancelWait(): boolean {
    if (this.timer === undefined) return false;
    clearTimeout(this.timer);
    this.timer = undefined;
    const details = `Cancelled on client after ${this.made} attempts; ${this.lastFailure()}`;
    this.call.finish({ code: grpcStatus.CANCELLED, details, metadata: new (grpc().Metadata)() });
    return true;
  }

  private lastFailure(): string {
    const { code, details } = this.failure!;
    return `the last one failed with ${grpc().status[code]}: ${details}`;
  }

  private finishLate({ metadata }: StatusObject): void {
    this.timer = undefined;
    const details = `Deadline exceeded after ${this.made} attempts; ${this.lastFailure()}`;
    this.call.finish({ code: grpcStatus.DEADLINE_EXCEEDED, details, metadata });
  }

  private next(failed: StatusObject): void {
    this.timer = undefined;
    this.made++;
    this.begunAtMs = Date.now();
    try {
      this.call.again();
    } catch {
      this.call.finish(failed); // the connection was closed while this call waited: its last failure stands
    }
  }
}

const optionsOfInterceptors = new WeakMap<Interceptor, GrpcRetryOptions>();

/** What an interceptor of `makeGrpcRetryInterceptor` was made with; undefined for any other. */
export function retryOptionsOf(interceptor: Interceptor): GrpcRetryOptions | undefined {
  return optionsOfInterceptors.get(interceptor);
}

/** An interceptor that repeats failed unary calls as `retryOptions` decide. */
export function makeGrpcRetryInterceptor(retryOptions: GrpcRetryOptions): Interceptor {
  const interceptor: Interceptor = (options, nextCall) => {
    const { InterceptingCall } = grpc();
    const { requestStream, responseStream } = options.method_definition;
    if (requestStream || responseStream) return new InterceptingCall(nextCall(options));

    let metadata: GrpcMetadata;
    let message: unknown;
    let listener: InterceptingListener;
    let response: unknown;
    let current = nextCall(options);
    const attempts = new Attempts(retryOptions, options.deadline, {
      again() {
        response = undefined;
        current = nextCall(options);
        current.start(metadata.clone(), {
          onReceiveMetadata: () => {},
          onReceiveMessage: (received) => {
            response = received;
          },
          onReceiveStatus: (received) => attempts.ended(received),
        });
        current.sendMessage(message);
        current.halfClose();
      },
      finish(final) {
        // The message is held back until the status is known: the listener must see one of each.
        if (final.code === grpcStatus.OK && response !== undefined) listener.onReceiveMessage(response);
        listener.onReceiveStatus(final);
      },
    });

    return new InterceptingCall(current, {
      start(startMetadata, startListener, next) {
        metadata = startMetadata.clone(); // later interceptors may add to what they are given
        listener = startListener as InterceptingListener;
        next(startMetadata, {
          // One parameter: grpc-js takes a listener of this shape as it is, and waits for no callback of ours.
          onReceiveMetadata: (received: GrpcMetadata) => listener.onReceiveMetadata(received),
          onReceiveMessage: (received: unknown) => {
            response = received;
          },
          onReceiveStatus: (received: StatusObject) => attempts.ended(received),
        } as InterceptingListener);
      },
      sendMessage(sent, next) {
        message = sent;
        next(sent);
      },
      cancel(next) {
        if (attempts.cancelWait()) return; // G2
        if (attempts.areFirst) next();
        else current.cancelWithStatus(grpcStatus.CANCELLED, 'Cancelled on client');
      },
    });
  };
  optionsOfInterceptors.set(interceptor, retryOptions);
  return interceptor;
}
