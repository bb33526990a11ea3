/** Names that the payload protocol shares with every other SDK. */
import { utf8Encode } from '@perdure/proto/lib/utf8';

/** Metadata key that says how a payload's data is encoded. */
export const METADATA_ENCODING_KEY = 'encoding';
/** Metadata key of the protobuf message type. */
export const METADATA_MESSAGE_TYPE_KEY = 'messageType';

export const encodingTypes = {
  METADATA_ENCODING_NULL: 'binary/null',
  METADATA_ENCODING_RAW: 'binary/plain',
  METADATA_ENCODING_JSON: 'json/plain',
  METADATA_ENCODING_PROTOBUF_JSON: 'json/protobuf',
  METADATA_ENCODING_PROTOBUF: 'binary/protobuf',
} as const;
export type EncodingType = (typeof encodingTypes)[keyof typeof encodingTypes];

/**
 * The encodings as UTF-8 bytes. Each read gives new bytes: arrays cannot be frozen, and workflows share this module.
 */
export const encodingKeys: {
  readonly [K in keyof typeof encodingTypes]: Uint8Array;
} = Object.defineProperties(
  {},
  Object.fromEntries(
    Object.entries(encodingTypes).map(([key, encoding]) => [
      key,
      { enumerable: true, get: () => utf8Encode(encoding) },
    ]),
  ),
) as { readonly [K in keyof typeof encodingTypes]: Uint8Array };
