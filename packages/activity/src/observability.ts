/**
 * Log lines and metrics of an activity, with its attributes and what interceptors add to them.
 *
 * Invariant: attributes are asked for when a line is written, not before; interceptors that throw cost their own
 * additions and never the line.
 */
import type { Logger, MetricMeter, MetricTags, SdkComponent } from '@perdure/common';
import { LoggerWithComposedMetadata, MetricMeterWithComposedTags } from '@perdure/common';
import type { ActivityInterceptors, ActivityOutboundCallsInterceptor } from './interceptors';

/** @param interceptors read anew for each line */
export function composeLogger(
  logger: Logger,
  sdkComponent: SdkComponent,
  attributes: Record<string, unknown>,
  interceptors: readonly ActivityInterceptors[],
): Logger {
  return LoggerWithComposedMetadata.compose(logger, { sdkComponent }, () =>
    through(interceptors, 'getLogAttributes', attributes),
  );
}

/** @param interceptors read anew for each value that is recorded */
export function composeMeter(
  meter: MetricMeter,
  tags: MetricTags,
  interceptors: readonly ActivityInterceptors[],
): MetricMeter {
  return MetricMeterWithComposedTags.compose(meter, () => through(interceptors, 'getMetricTags', tags));
}

type Asked = 'getLogAttributes' | 'getMetricTags';
/** Log fields or metric tags, whatever the method is about. */
type Fields<K extends Asked> = Parameters<NonNullable<ActivityOutboundCallsInterceptor[K]>>[0];

/** Lets each interceptor see and change `input`, the first one outermost. */
function through<K extends Asked>(
  interceptors: readonly ActivityInterceptors[],
  method: K,
  input: Fields<K>,
): Fields<K> {
  let next = (given: Fields<K>): Fields<K> => given;
  for (let i = interceptors.length - 1; i >= 0; i--) {
    const outbound = interceptors[i]!.outbound;
    if (outbound?.[method] === undefined) continue;
    const inner = next;
    next = (given) => {
      try {
        // The compiler does not see that both sides are those of one K.
        const ask = outbound[method] as (input: Fields<K>, next: typeof inner) => Fields<K>;
        return ask.call(outbound, given, inner);
      } catch {
        return inner(given);
      }
    };
  }
  return next({ ...input });
}
