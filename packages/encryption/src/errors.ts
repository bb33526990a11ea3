/** What can go wrong with keys and ciphers. No text holds any of the data or of a key. */
import { PerdureError } from '@perdure/common';

/** A payload was encrypted with a key that is not in the ring. */
export class EncryptionKeyNotFoundError extends PerdureError {
  readonly code = 'ENCRYPTION_KEY_NOT_FOUND';

  constructor(readonly keyId: string) {
    super(`no encryption key has the id ${JSON.stringify(keyId)}`, {
      hint: 'keep keys in the ring for as long as histories hold payloads of them',
    });
  }
}

/** An encrypted payload was changed, cut, or encrypted with another key of the same id. */
export class DecryptionFailedError extends PerdureError {
  readonly code = 'DECRYPTION_FAILED';

  constructor(
    readonly keyId: string,
    cause?: unknown,
  ) {
    super(`a payload encrypted with the key ${JSON.stringify(keyId)} cannot be decrypted`, {
      cause,
      hint: 'the payload was changed on its way, or the id stands for another key here than where it was encrypted',
    });
  }
}
