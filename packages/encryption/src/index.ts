/** Payloads that only their owner can read. */
export { AesGcmCodec } from './aes-gcm-codec';
export { type CodecServer, type CodecServerOptions, startCodecServer } from './codec-server';
export { DecryptionFailedError, EncryptionKeyNotFoundError } from './errors';
export { generateKey, type KeyRing, type KeyRingOptions, keyRing, keyRingFromEnv } from './key-ring';
