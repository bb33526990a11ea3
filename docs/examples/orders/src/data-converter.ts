import type { DataConverter } from '@perdure/common';
import { AesGcmCodec, type KeyRing, keyRingFromEnv } from '@perdure/encryption';

/** Everything that goes to the server is encrypted: card numbers, addresses, messages of errors. */
export function encryptedWith(keys: KeyRing = keyRingFromEnv()): DataConverter {
  return {
    payloadCodecs: [new AesGcmCodec(keys)],
    failureConverterPath: require.resolve('./failure-converter.js'),
  };
}
