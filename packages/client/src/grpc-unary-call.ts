/**
 * One unary call, made on the channel of grpc-js itself.
 *
 * `Client.makeUnaryRequest` makes an emitter, a chain of intercepting calls and a captured stack for every call, which
 * costs more than encoding and decoding the messages. A call that nobody else intercepts needs none of them.
 *
 * Owns    the order in which a channel's call is driven, the answer.
 * Leaves  what is tried again, and when, to `Attempts` of grpc-retry.ts; headers, scopes and errors to connection.ts.
 * U1  Settles once, with the status of the last attempt; the message of an attempt that failed is dropped.
 * U2  Nothing is captured for an error that may never come: whoever awaits the status makes it, and its stack names the
 *     callers that wait.
 */
import type { ChannelInterface, Metadata as GrpcMetadata, StatusObject } from '@grpc/grpc-js';
import { grpc, grpcStatus } from './grpc';
import { Attempts, type GrpcRetryOptions } from './grpc-retry';

type ChannelCall = ReturnType<ChannelInterface['createCall']>;

export interface UnaryCallOptions {
  readonly channel: ChannelInterface;
  /** `/service/method` */
  readonly path: string;
  readonly request: Buffer;
  /** Left as they are: a channel makes copies. */
  readonly headers: GrpcMetadata;
  /** Milliseconds since the epoch, or a date. */
  readonly deadline: number | Date | undefined;
  /** Undefined: one attempt. */
  readonly retry: GrpcRetryOptions | undefined;
}

export class UnaryCall {
  /** The message of the answer, once the status is OK. */
  response: Uint8Array | undefined;
  private current: ChannelCall | undefined;
  private readonly attempts: Attempts | undefined;
  private settle!: (status: StatusObject) => void;

  constructor(private readonly options: UnaryCallOptions) {
    const { retry, deadline } = options;
    this.attempts = retry && new Attempts(retry, deadline, this);
  }

  /**
   * Begins the first attempt.
   * @returns the status that the call ends with; rejects if the channel is closed
   */
  start(): Promise<StatusObject> {
    return new Promise((resolve) => {
      this.settle = resolve;
      this.again();
    });
  }

  /** Ends the call with CANCELLED, between two attempts, too. */
  cancel(): void {
    if (this.attempts?.cancelWait() !== true) {
      this.current?.cancelWithStatus(grpcStatus.CANCELLED, 'Cancelled on client');
    }
  }

  /** @internal For Attempts: begins an attempt. */
  again(): void {
    const { channel, path, deadline, headers, request } = this.options;
    this.response = undefined; // U1
    const call = channel.createCall(path, deadline ?? Number.POSITIVE_INFINITY, undefined, null, undefined);
    this.current = call;
    call.start(headers, this);
    call.startRead();
    call.sendMessageWithContext({}, request);
    call.halfClose();
  }

  /** @internal For Attempts: no further one. */
  finish(status: StatusObject): void {
    if (status.code === grpcStatus.OK && this.response === undefined) {
      this.settle({ ...status, code: grpcStatus.UNIMPLEMENTED, details: 'No message received' });
    } else this.settle(status);
  }

  /** @internal For the channel. */
  onReceiveMetadata(): void {}

  /** @internal For the channel. */
  onReceiveMessage(message: Uint8Array): void {
    this.response = message;
  }

  /** @internal For the channel. */
  onReceiveStatus(status: StatusObject): void {
    if (this.attempts === undefined) this.finish(status);
    else this.attempts.ended(status);
  }
}

/** The error that calls of grpc-js end with. */
export function grpcError({ code, details, metadata }: StatusObject): Error {
  return Object.assign(new Error(`${code} ${grpc().status[code]}: ${details}`), { code, details, metadata });
}
