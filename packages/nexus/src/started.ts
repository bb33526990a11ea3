/**
 * Requests to the server on behalf of an operation: its callback, links and request id ride on them.
 *
 * S1  A handler is called again with the same request id when its answer got lost: the server then finds what was
 *     started the first time.
 * S2  The callback carries the operation's token, so that a completion that overtakes the answer finds its operation.
 */

import type { RequestExtras } from '@perdure/client/lib/request-extras';
import { withRequestExtras } from '@perdure/client/lib/request-extras';
import { ValueError } from '@perdure/common';
import type { Callback, Link } from '@perdure/proto/temporal/api/common/v1/message';
import { HandlerError, type StartOperationContext } from 'nexus-rpc';
import { addLinkForCaller, linksForServer } from './links';

const TOKEN_HEADER = 'nexus-operation-token';

/** What an operation adds to the request that starts what backs it. */
export interface Backing {
  readonly requestId: string;
  readonly links: Link[];
  readonly completionCallbacks: Callback[];
}

/** @param token  of the operation */
export function backingOf(ctx: StartOperationContext, token: string): Backing {
  const links = linksForServer(ctx.inboundLinks);
  return {
    requestId: ctx.requestId, // S1
    links,
    completionCallbacks: ctx.callbackUrl
      ? [
          {
            nexus: { url: ctx.callbackUrl, header: { ...ctx.callbackHeaders, [TOKEN_HEADER]: token } }, // S2
            links, // older servers look for them here
          },
        ]
      : [],
  };
}

/** What happens if the id of what is started is in use: then this operation waits for that one too. */
export const ATTACH_ON_CONFLICT = {
  attachRequestId: true,
  attachCompletionCallbacks: true,
  attachLinks: true,
} as const;

/**
 * Makes a call of the client whose request carries more than its options can say.
 * @throws {HandlerError} BAD_REQUEST: options are not valid, and never will be
 */
export async function callWith<R>(
  ctx: StartOperationContext,
  extras: Omit<RequestExtras, 'onResponse'> & { linkOf(response: any): Link | undefined },
  call: () => Promise<R>,
): Promise<R> {
  let link: Link | undefined;
  const onResponse = (response: unknown) => {
    link = extras.linkOf(response);
  };
  try {
    const result = await withRequestExtras({ ...extras, onResponse }, call);
    addLinkForCaller(ctx.outboundLinks, link);
    return result;
  } catch (error) {
    if (error instanceof ValueError) throw new HandlerError('BAD_REQUEST', error.message, { cause: error });
    throw error;
  }
}
