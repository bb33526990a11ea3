/**
 * What a package above the client adds to one request that the client makes.
 *
 * A Nexus operation starts workflows through the client's public methods, interceptors included, but its requests
 * carry more than users can say: callbacks, links, a request id, and the links that come back.
 *
 * X1  Extras reach the one request they are made for (method and `matches`), and only the first such one: what
 *     interceptors do beside it stays as it is.
 */
import { AsyncLocalStorage } from 'node:async_hooks';

/** @see withRequestExtras */
export interface RequestExtras<Request = any, Response = any> {
  /** Method of the workflow service, such as `startWorkflowExecution`. */
  readonly method: string;
  matches(request: Request): boolean;
  extend(request: Request): Request;
  onResponse?(response: Response): void;
}

const storage = new AsyncLocalStorage<{ extras: RequestExtras | undefined }>();

/** Runs `fn`; the first matching request of workflow clients in it gets the extras. */
export function withRequestExtras<R>(extras: RequestExtras, fn: () => Promise<R>): Promise<R> {
  return storage.run({ extras }, fn);
}

/** The service with the extras of the current scope, or the service itself where there are none. */
export function extendedService<S extends object>(service: S): S {
  const scope = storage.getStore();
  if (scope?.extras === undefined) return service;
  const { extras } = scope;
  const method: unknown = Reflect.get(service, extras.method);
  if (typeof method !== 'function') throw new TypeError(`The service has no method ${extras.method}`);
  const call = async (request: unknown): Promise<unknown> => await method.call(service, request);
  const extended = async (request: unknown): Promise<unknown> => {
    if (scope.extras === undefined || !extras.matches(request)) return call(request);
    scope.extras = undefined; // X1
    try {
      const response = await call(extras.extend(request));
      extras.onResponse?.(response);
      return response;
    } catch (error) {
      scope.extras = extras; // the client may ask again
      throw error;
    }
  };
  return Object.create(service, { [extras.method]: { value: extended } });
}
