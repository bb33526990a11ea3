/**
 * A payload codec that encrypts with AES-256-GCM.
 *
 * On the wire: metadata `encoding: binary/encrypted` and `encryption-key-id`; data is 12 bytes of nonce, the encrypted
 * Payload message with all its metadata, and 16 bytes of tag.
 *
 * A1  Every payload has a nonce of its own, drawn at random: one key is good for 2^32 payloads.
 * A2  Payloads that are not encrypted pass decode as they are: histories may be older than the encryption.
 * A3  The whole payload is encrypted, its metadata too; nothing but the key's id and the size shows.
 */
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@perdure/common';
import { Payload as PayloadMessage } from '@perdure/proto/temporal/api/common/v1/message';
import { DecryptionFailedError, EncryptionKeyNotFoundError } from './errors';
import type { KeyRing } from './key-ring';

const CIPHER = 'aes-256-gcm';
const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class AesGcmCodec implements PayloadCodec {
  constructor(private readonly keys: KeyRing) {}

  /** @throws {EncryptionKeyNotFoundError} the ring has no current key */
  async encode(payloads: Payload[]): Promise<Payload[]> {
    const { currentKeyId } = this.keys;
    const key = await this.#key(currentKeyId);
    return payloads.map((payload) => encrypt(payload, currentKeyId, key));
  }

  /**
   * @throws {EncryptionKeyNotFoundError} a payload names a key that is not here
   * @throws {DecryptionFailedError} a payload does not fit its key
   */
  async decode(payloads: Payload[]): Promise<Payload[]> {
    return await Promise.all(
      payloads.map(async (payload) => {
        if (textOf(payload.metadata?.encoding) !== ENCODING) return payload; // A2
        const keyId = textOf(payload.metadata?.[KEY_ID]) ?? '';
        return decrypt(payload.data ?? new Uint8Array(), keyId, await this.#key(keyId));
      }),
    );
  }

  async #key(keyId: string): Promise<KeyObject> {
    const key = await this.keys.key(keyId);
    if (key === undefined) throw new EncryptionKeyNotFoundError(keyId);
    return key;
  }
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function encrypt(payload: Payload, keyId: string, key: KeyObject): Payload {
  const nonce = randomBytes(NONCE_BYTES); // A1
  const cipher = createCipheriv(CIPHER, key, nonce);
  const sealed = cipher.update(PayloadMessage.encode(payload).finish()); // A3; a stream cipher: nothing is left for final
  cipher.final();
  return {
    metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(keyId) },
    data: Buffer.concat([nonce, sealed, cipher.getAuthTag()]),
  };
}

function decrypt(data: Uint8Array, keyId: string, key: KeyObject): Payload {
  if (data.length < NONCE_BYTES + TAG_BYTES) throw new DecryptionFailedError(keyId);
  try {
    const decipher = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(data.subarray(data.length - TAG_BYTES));
    const opened = decipher.update(data.subarray(NONCE_BYTES, data.length - TAG_BYTES));
    decipher.final(); // throws unless the tag fits
    return PayloadMessage.decode(opened);
  } catch (cause) {
    throw new DecryptionFailedError(keyId, cause);
  }
}
