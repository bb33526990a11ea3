/** How the core says that a local activity has to wait for its next attempt; applications never see it. */
import type { DoBackoff } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';

export class LocalActivityDoBackoff extends Error {
  readonly backoff: DoBackoff;

  constructor(backoff: DoBackoff) {
    super('local activity waits for its next attempt');
    this.name = 'LocalActivityDoBackoff';
    this.backoff = backoff;
  }
}
