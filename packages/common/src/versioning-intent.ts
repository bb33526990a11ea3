/** Build-id versioning of task queues, as it was before worker deployments. */
import type { VersioningIntent as ProtoVersioningIntent } from '@perdure/proto/temporal/sdk/core/common/common';

/** @deprecated use worker deployments */
export type VersioningIntent = 'COMPATIBLE' | 'DEFAULT';

/** Number of the protocol's enum; 0 for none. */
export function versioningIntentToProto(intent: VersioningIntent | undefined): ProtoVersioningIntent {
  return intent === 'COMPATIBLE' ? 1 : intent === 'DEFAULT' ? 2 : 0;
}
