/**
 * Retries of unary calls, as a grpc-js interceptor.
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

/** An interceptor that repeats failed unary calls as `retryOptions` decide. */
export function makeGrpcRetryInterceptor({ delayFunction, retryableDecider }: GrpcRetryOptions): Interceptor {
  return (options, nextCall) => {
    const { InterceptingCall, Metadata } = grpc();
    const { requestStream, responseStream } = options.method_definition;
    if (requestStream || responseStream) return new InterceptingCall(nextCall(options));

    const giveUpAtMs = deadlineMs(options.deadline);
    let metadata: GrpcMetadata;
    let message: unknown;
    let listener: InterceptingListener;
    let response: unknown;
    let attempt = 1;
    let begunAtMs = Date.now();
    let timer: NodeJS.Timeout | undefined;
    let failure: StatusObject;
    let current = nextCall(options);

    const lastFailure = () => `the last one failed with ${grpc().status[failure.code]}: ${failure.details}`;

    const finish = (final: StatusObject) => {
      // The message is held back until the status is known: the listener must see one of each.
      if (final.code === grpcStatus.OK && response !== undefined) listener.onReceiveMessage(response);
      listener.onReceiveStatus(final);
    };
    const onStatus = (received: StatusObject) => {
      if (brokeOff(Date.now() - begunAtMs, received)) attempt = 1; // G3
      if (received.code === grpcStatus.OK || !retryableDecider(attempt, received)) {
        finish(received);
        return;
      }
      failure = received;
      const waitMs = delayFunction(attempt, received);
      const leftMs = giveUpAtMs - Date.now();
      if (waitMs >= leftMs) {
        // G1: no attempt fits any more
        const details = `Deadline exceeded after ${attempt} attempts; ${lastFailure()}`;
        timer = setTimeout(
          () => finish({ code: grpcStatus.DEADLINE_EXCEEDED, details, metadata: received.metadata }),
          Math.max(0, leftMs),
        );
        return;
      }
      timer = setTimeout(() => {
        timer = undefined;
        attempt++;
        begunAtMs = Date.now();
        response = undefined;
        try {
          current = nextCall(options);
        } catch {
          finish(received); // the connection was closed while this call waited: its last failure stands
          return;
        }
        current.start(metadata.clone(), {
          onReceiveMetadata: () => {},
          onReceiveMessage: (received) => {
            response = received;
          },
          onReceiveStatus: onStatus,
        });
        current.sendMessage(message);
        current.halfClose();
      }, waitMs);
    };

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
          onReceiveStatus: onStatus,
        } as InterceptingListener);
      },
      sendMessage(sent, next) {
        message = sent;
        next(sent);
      },
      cancel(next) {
        if (timer !== undefined) {
          clearTimeout(timer); // G2
          timer = undefined;
          const details = `Cancelled on client after ${attempt} attempts; ${lastFailure()}`;
          finish({ code: grpcStatus.CANCELLED, details, metadata: new Metadata() });
          return;
        }
        if (attempt === 1) next();
        else current.cancelWithStatus(grpcStatus.CANCELLED, 'Cancelled on client');
      },
    });
  };
}
