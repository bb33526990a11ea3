/**
 * Keys by id, and which of them encrypts.
 *
 * K1  Every payload names its key, so any number of keys are readable at once and one of them writes: rotating is
 *     adding a key everywhere, then making it current, then, when no history needs the old one, dropping that.
 * K2  Keys never show: not in errors, not in JSON, not when a ring is printed.
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { ValueError } from '@perdure/common';

const KEY_BYTES = 32;

export interface KeyRing {
  /** Id of the key that encrypts. */
  readonly currentKeyId: string;
  /** The key of this id, undefined if there is none. */
  key(keyId: string): Promise<KeyObject | undefined> | KeyObject | undefined;
}

export interface KeyRingOptions {
  /** Keys of 32 bytes by id, as bytes or as base64 text. */
  keys: Readonly<Record<string, Uint8Array | string>>;
  /** Id of the key that encrypts; must be one of `keys`. */
  currentKeyId: string;
}

/** A new random key, as base64 text. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

/** @throws {ValueError} a key is not of 32 bytes, or the current one is missing */
export function keyRing({ keys, currentKeyId }: KeyRingOptions): KeyRing {
  const objects = new Map<string, KeyObject>();
  for (const [keyId, key] of Object.entries(keys)) {
    const bytes = typeof key === 'string' ? Buffer.from(key, 'base64') : key;
    if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) {
      throw new ValueError(
        `the key ${JSON.stringify(keyId)} has ${bytes?.length ?? 'no'} bytes, AES-256 takes ${KEY_BYTES}`,
        undefined,
        'make keys with generateKey()',
      );
    }
    objects.set(keyId, createSecretKey(bytes));
  }
  if (!objects.has(currentKeyId)) {
    throw new ValueError(`currentKeyId is ${JSON.stringify(currentKeyId)}, which is none of the keys' ids`);
  }
  return { currentKeyId, key: (keyId) => objects.get(keyId) }; // K2: KeyObjects print no key
}

/**
 * The ring of two environment variables: `PERDURE_ENCRYPTION_KEYS`, a JSON record of base64 keys by id, and
 * `PERDURE_ENCRYPTION_KEY_ID`, the current one.
 * @throws {ValueError} they are missing or wrong
 */
export function keyRingFromEnv(env: Readonly<Record<string, string | undefined>> = process.env): KeyRing {
  const { PERDURE_ENCRYPTION_KEYS: text, PERDURE_ENCRYPTION_KEY_ID: currentKeyId } = env;
  if (text === undefined || currentKeyId === undefined) {
    throw new ValueError(
      'PERDURE_ENCRYPTION_KEYS and PERDURE_ENCRYPTION_KEY_ID must be set',
      undefined,
      'for example PERDURE_ENCRYPTION_KEYS=\'{"2026-01":"<base64 of 32 bytes>"}\' PERDURE_ENCRYPTION_KEY_ID=2026-01',
    );
  }
  let keys: unknown;
  try {
    keys = JSON.parse(text);
  } catch {
    throw new ValueError('PERDURE_ENCRYPTION_KEYS is no JSON'); // K2: no cause, which would quote the text
  }
  if (typeof keys !== 'object' || keys === null || Array.isArray(keys)) {
    throw new ValueError('PERDURE_ENCRYPTION_KEYS is no record of keys by id');
  }
  return keyRing({ keys: keys as Record<string, string>, currentKeyId });
}
