/** How services are described: plain objects, for whoever brings a gRPC library. */

import type { Codec } from './table';

/** A method with one request and one response. */
export interface Unary<Name extends string, Request, Response> {
  readonly name: Name;
  readonly requestType: Codec<Request>;
  readonly requestStream: false;
  readonly responseType: Codec<Response>;
  readonly responseStream: false;
  readonly options: {};
}

export function unary<Name extends string, Request, Response>(
  name: Name,
  requestType: Codec<Request>,
  responseType: Codec<Response>,
): Unary<Name, Request, Response> {
  return { name, requestType, requestStream: false, responseType, responseStream: false, options: {} };
}
