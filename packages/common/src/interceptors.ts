/** Chains of interceptors. */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { AnyFunc, OmitLastParam } from './type-helpers';

/** Type of `next` in an interceptor's method: that method without its last parameter. */
export type Next<IF, FN extends keyof IF> = Required<IF>[FN] extends AnyFunc
  ? OmitLastParam<Required<IF>[FN]>
  : never;

/** Headers that travel with a call, for context propagation. */
export type Headers = Record<string, Payload>;

/**
 * The call through all interceptors that have `method`, the first one outermost.
 * @param next  what the innermost calls
 */
export function composeInterceptors<I, M extends keyof I>(
  interceptors: readonly I[],
  method: M,
  next: Next<I, M>,
): Next<I, M> {
  let composed: any = next;
  for (let i = interceptors.length - 1; i >= 0; i--) {
    const interceptor = interceptors[i]!;
    if (interceptor[method] === undefined) continue;
    const inner = composed;
    // Read at the call: an interceptor may replace its methods later.
    composed = (input: any) => (interceptor[method] as any)(input, inner);
  }
  return composed;
}
