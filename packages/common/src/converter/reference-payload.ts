/** Knows payloads that stand for others in external storage. Runs in the sandbox too; the storage itself never does. */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { str } from '../encoding';
import { encodingTypes, METADATA_ENCODING_KEY, METADATA_MESSAGE_TYPE_KEY } from './types';

/** Message type of references, the same for every SDK. */
export const REFERENCE_MESSAGE_TYPE = 'temporal.api.sdk.v1.ExternalStorageReference';

/** Whether this payload is a reference to external storage. */
export function isReferencePayload({ metadata }: Payload): boolean {
  const type = metadata?.[METADATA_MESSAGE_TYPE_KEY];
  // The length decides for nearly all others.
  if (!type || type.length !== REFERENCE_MESSAGE_TYPE.length || str(type) !== REFERENCE_MESSAGE_TYPE)
    return false;
  const encoding = metadata[METADATA_ENCODING_KEY];
  return encoding !== undefined && str(encoding) === encodingTypes.METADATA_ENCODING_PROTOBUF_JSON;
}
