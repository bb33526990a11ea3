/**
 * Services of the server as objects with a method per call, made from their generated definitions.
 *
 * A call that fails rejects with an error of the shape that gRPC libraries for Node.js use, so that whoever is built
 * on a connection (`@perdure/client`) need not know which kind it is.
 */
import { IllegalStateError } from '@perdure/common';
import { CoreRpcError } from '@perdure/core';
import { RpcCall } from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { Metadata } from './connection-options';
import { splitMetadata } from './connection-options';

/** What surrounds raw calls. */
export interface CallContext {
  /** Epoch milliseconds or Date. */
  deadline?: number | Date;
  metadata?: Metadata;
  abortSignal?: AbortSignal;
}

/** Methods of a service by their names in lower camel case; with a callback they give no promise. */
export type RawService = Record<
  string,
  (request?: any, callback?: (error: Error | null, response?: any) => void) => Promise<any> | undefined
>;

/** Status codes of gRPC. */
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;

/** A call that failed, in the shape of `@grpc/grpc-js`'s ServiceError. */
export class RawCallError extends Error {
  override readonly name = 'RawCallError';
  /** gRPC status. */
  readonly code: number;
  /** Text of the status. */
  readonly details: string;
  readonly metadata: { get(name: string): (string | Uint8Array)[] };

  /** @param cause absent for a call that never left */
  constructor(code: number, details: string, cause?: CoreRpcError) {
    super(`${code}: ${details}`, cause && { cause });
    this.code = code;
    this.details = details;
    const values = new Map<string, string | Uint8Array>(Object.entries(cause?.metadata ?? {}));
    if (cause !== undefined && cause.details.length > 0) values.set('grpc-status-details-bin', cause.details);
    this.metadata = {
      get: (name) => {
        const value = values.get(name.toLowerCase());
        return value === undefined ? [] : [value];
      },
    };
  }
}

interface Caller {
  /** @param call encoded perdure.core.v1.RpcCall */
  call(call: Uint8Array): Promise<Uint8Array>;
  context(): CallContext | undefined;
}

interface MethodDefinition {
  readonly name: string;
  readonly requestType: { encode(message: any): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): unknown };
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

export function rawService(service: string, { methods }: { methods: object }, caller: Caller): RawService {
  const object: RawService = {};
  for (const [key, method] of Object.entries(methods as Record<string, MethodDefinition>)) {
    const call = async (request: unknown): Promise<unknown> => {
      if (method.requestStream || method.responseStream) {
        throw new IllegalStateError(
          `A native connection cannot carry ${method.name}, which is answered many times`,
          {
            hint: 'use a Connection of the client package for it',
          },
        );
      }
      return await unary(service, method, request ?? {}, caller);
    };
    object[key] = (request, callback) => {
      if (callback === undefined) return call(request);
      call(request).then(
        (response) => callback(null, response),
        (error) => callback(error),
      );
      return undefined;
    };
  }
  return object;
}

async function unary(
  service: string,
  method: MethodDefinition,
  request: unknown,
  caller: Caller,
): Promise<unknown> {
  const { deadline, metadata = {}, abortSignal } = caller.context() ?? {};
  if (abortSignal?.aborted) throw aborted();
  const { text: headers, binary: binaryHeaders } = splitMetadata(metadata);
  const timeoutMs = deadline === undefined ? 0 : Number(deadline) - Date.now();
  if (deadline !== undefined && timeoutMs <= 0) {
    throw new RawCallError(DEADLINE_EXCEEDED, `the deadline of ${method.name} passed before the call began`);
  }
  const call = caller.call(
    RpcCall.encode({
      service,
      method: method.name,
      request: method.requestType.encode(request).finish(),
      retry: true,
      headers,
      binaryHeaders,
      timeoutMs: Long.fromNumber(Math.ceil(timeoutMs)),
    }).finish(),
  );
  try {
    return method.responseType.decode(
      await (abortSignal === undefined ? call : orAborted(call, abortSignal)),
    );
  } catch (error) {
    if (!(error instanceof CoreRpcError)) throw error;
    // The native side ends a call past its deadline as cancelled, and does not say by whom.
    const isLate = error.grpcCode === CANCELLED && deadline !== undefined && Date.now() >= Number(deadline);
    throw new RawCallError(isLate ? DEADLINE_EXCEEDED : error.grpcCode, error.message, error);
  }
}

/** What callers of gRPC libraries expect of an aborted call. */
const aborted = () => new RawCallError(CANCELLED, 'Call was cancelled by its abort signal');

function orAborted<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(aborted());
    signal.addEventListener('abort', abort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
