/**
 * Services as objects with one method per RPC, over any transport that carries bytes.
 *
 * Owns    the border between messages and bytes on the client's side.
 * Leaves  channels, deadlines, headers and retries to the transport.
 * R1  A transport sees bytes and names only; it needs no knowledge of messages.
 * R2  The code of a service's messages is loaded when the service is first asked for, not before.
 * R3  Every method gives a promise, or takes a callback as its second argument and gives nothing.
 */
import { IllegalStateError } from '@perdure/common';
import { ResponseStream } from './response-stream';

/** One RPC as a transport sees it. */
export interface RpcCall {
  /** Full name of the service, e.g. `temporal.api.workflowservice.v1.WorkflowService`. */
  readonly service: string;
  /** Name of the method as in the .proto file, e.g. `StartWorkflowExecution`. */
  readonly method: string;
  /** Namespace of the request, where it has one: proxies route by it. */
  readonly namespace: string | undefined;
  readonly request: Uint8Array;
}

/** Performs one unary RPC; rejects with an error that carries the gRPC status as `code`. */
export type RpcTransport = (call: RpcCall) => Promise<Uint8Array>;

/**
 * Performs one RPC that is answered any number of times.
 * @returns a function that ends the call
 */
export type RpcStreamTransport = (
  call: RpcCall,
  sink: { message(response: Uint8Array): void; end(error?: unknown): void },
) => () => void;

/** The second argument of an RPC in its callback form (R3). */
export type RpcCallback<Response> = (error: Error | null, response?: Response) => void;

/** An RPC with one answer. */
export interface UnaryRpc<Request, Response> {
  (request: Request): Promise<Response>;
  (request: Request, callback: RpcCallback<Response>): void;
}

/** An RPC with any number of answers: the callback hears of each. */
export interface StreamingRpc<Request, Response> {
  (request: Request): ResponseStream<Response>;
  (request: Request, callback: RpcCallback<Response>): void;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

export interface MethodDefinition {
  readonly name: string;
  readonly requestType: Codec<any>;
  readonly requestStream: boolean;
  readonly responseType: Codec<any>;
  readonly responseStream: boolean;
}

export interface ServiceDefinition {
  readonly fullName: string;
  readonly methods: Readonly<Record<string, MethodDefinition>>;
}

type MessageOf<C> = C extends Codec<infer T> ? T : never;
type RpcOf<M extends MethodDefinition> = M['responseStream'] extends true
  ? StreamingRpc<MessageOf<M['requestType']>, MessageOf<M['responseType']>>
  : UnaryRpc<MessageOf<M['requestType']>, MessageOf<M['responseType']>>;

/** The methods of a generated service definition, as functions from request to response. */
export type ServiceOf<D extends ServiceDefinition> = {
  [K in keyof D['methods']]: RpcOf<D['methods'][K]>;
};

/** Makes a service whose calls go through `transport`; without `openStream` it has no streaming calls. */
export function createService<S>(
  definition: ServiceDefinition,
  transport: RpcTransport,
  openStream?: RpcStreamTransport,
): S {
  const service: Record<string, (request: any, callback?: RpcCallback<any>) => unknown> = {};
  for (const [key, method] of Object.entries(definition.methods)) {
    const { name, requestType, responseType, responseStream } = method;
    const callOf = (request: any): RpcCall => ({
      service: definition.fullName,
      method: name,
      namespace: typeof request.namespace === 'string' ? request.namespace : undefined,
      request: requestType.encode(request).finish(),
    });
    if (responseStream) {
      service[key] = (request = {}, callback) => {
        const stream = new ResponseStream<unknown>((sink) => {
          if (openStream === undefined) {
            sink.end(
              new IllegalStateError(`This connection cannot carry ${name}, which is answered many times`, {
                hint: 'use a Connection of the client package for it',
              }),
            );
            return () => {};
          }
          return openStream(callOf(request), {
            message: (bytes) => sink.message(responseType.decode(bytes)),
            end: (error) => sink.end(error),
          });
        });
        if (callback === undefined) return stream;
        void tellEach(stream, callback); // R3
        return undefined;
      };
      continue;
    }
    const promised = async (request: any = {}) => responseType.decode(await transport(callOf(request)));
    service[key] = (request, callback) => {
      if (callback === undefined) return promised(request);
      promised(request).then(
        (response) => callback(null, response),
        (error) => callback(error),
      ); // R3
      return undefined;
    };
  }
  return service as S;
}

async function tellEach<T>(stream: AsyncIterable<T>, callback: RpcCallback<T>): Promise<void> {
  try {
    for await (const response of stream) callback(null, response);
  } catch (error) {
    callback(error as Error);
  }
}

/** A service as a value: makes instances over a transport, and loads its messages only then (R2). */
export interface ServiceFactory<S> {
  create(transport: RpcTransport, openStream?: RpcStreamTransport): S;
}

export function serviceFactory<S>(load: () => ServiceDefinition): ServiceFactory<S> {
  return { create: (transport, openStream) => createService<S>(load(), transport, openStream) };
}
