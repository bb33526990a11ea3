/**
 * Services as objects with one method per RPC, over any transport that carries bytes.
 *
 * Owns    the border between messages and bytes on the client's side.
 * Leaves  channels, deadlines, headers and retries to the transport.
 * R1  A transport sees bytes and names only; it needs no knowledge of messages.
 * R2  The code of a service's messages is loaded when the service is first asked for, not before.
 */

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

/** The unary methods of a generated service definition, as functions from request to response. */
export type ServiceOf<D extends ServiceDefinition> = {
  [K in keyof D['methods'] as D['methods'][K]['responseStream'] extends true ? never : K]: (
    request: MessageOf<D['methods'][K]['requestType']>,
  ) => Promise<MessageOf<D['methods'][K]['responseType']>>;
};

/** Makes a service whose calls go through `transport`. */
export function createService<S>(definition: ServiceDefinition, transport: RpcTransport): S {
  const service: Record<string, (request: any) => Promise<unknown>> = {};
  for (const [key, { name, requestType, responseType, responseStream }] of Object.entries(
    definition.methods,
  )) {
    if (responseStream) continue;
    service[key] = async (request = {}) => {
      const bytes = await transport({
        service: definition.fullName,
        method: name,
        namespace: typeof request.namespace === 'string' ? request.namespace : undefined,
        request: requestType.encode(request).finish(),
      });
      return responseType.decode(bytes);
    };
  }
  return service as S;
}

/** A service as a value: makes instances over a transport, and loads its messages only then (R2). */
export interface ServiceFactory<S> {
  create(transport: RpcTransport): S;
}

export function serviceFactory<S>(load: () => ServiceDefinition): ServiceFactory<S> {
  return { create: (transport) => createService<S>(load(), transport) };
}
