/** What a handler sees of a request: names, headers, links, deadline. */
import type { Link as ProtoLink, Request } from '@perdure/proto/temporal/api/nexus/v1/message';
import { HandlerError, type Link, type OperationContext, type StartOperationContext } from 'nexus-rpc';

/** @throws {HandlerError} NOT_IMPLEMENTED: it asks for neither a start nor a cancellation */
export function operationContext(
  { startOperation, cancelOperation, header }: Request,
  abortSignal: AbortSignal,
  requestDeadline: Date | undefined,
): OperationContext {
  const variant = startOperation ?? cancelOperation;
  if (variant === undefined) throw new HandlerError('NOT_IMPLEMENTED', 'Requests of this kind are not known');
  const { service = '', operation = '' } = variant;
  return { service, operation, headers: caseless(header ?? {}), abortSignal, requestDeadline };
}

/** @throws {HandlerError} BAD_REQUEST: it has no request id, or a link that is none */
export function startContext(
  base: OperationContext,
  start: NonNullable<Request['startOperation']>,
): StartOperationContext {
  if (!start.requestId) throw new HandlerError('BAD_REQUEST', 'The request to start an operation has no id');
  return {
    ...base,
    requestId: start.requestId,
    callbackUrl: start.callback || undefined,
    callbackHeaders: start.callbackHeader,
    inboundLinks: (start.links ?? []).map(linkFromProto),
    outboundLinks: [],
  };
}

function linkFromProto({ url = '', type = '' }: ProtoLink): Link {
  if (type === '' || !URL.canParse(url)) {
    throw new HandlerError('BAD_REQUEST', `A link of the request is none: ${JSON.stringify({ url, type })}`);
  }
  return { url: new URL(url), type };
}

export function linkToProto({ url, type }: Link): ProtoLink {
  return { url: url.toString(), type };
}

/** Names of headers have no case: they are kept in lower case, and found in any. */
function caseless(header: Readonly<Record<string, string>>): Record<string, string> {
  const lower: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(header)) lower[name.toLowerCase()] = value;
  const key = (name: string | symbol) => (typeof name === 'string' ? name.toLowerCase() : name);
  return new Proxy(lower, {
    get: (target, name) => Reflect.get(target, key(name)),
    has: (target, name) => Reflect.has(target, key(name)),
    set: (target, name, value) => Reflect.set(target, key(name), value),
  });
}
