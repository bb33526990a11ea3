import { inspect } from 'node:util';
import { defaultPayloadConverter, hasCode, type Payload } from '@perdure/common';
import { AesGcmCodec, generateKey, keyRing, keyRingFromEnv } from '@perdure/encryption';
import { Payload as PayloadMessage } from '@perdure/proto/temporal/api/common/v1/message';
import fc from 'fast-check';

const keys = { old: generateKey(), new: generateKey() };
const codecWith = (currentKeyId: keyof typeof keys, known: Partial<typeof keys> = keys) =>
  new AesGcmCodec(keyRing({ keys: known as Record<string, string>, currentKeyId }));
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('latin1');

describe('the AES-256-GCM codec', () => {
  it('gives back every payload as it was, metadata included', async () => {
    const codec = codecWith('new');
    const payload = fc.record({
      metadata: fc.dictionary(fc.string({ minLength: 1 }), fc.uint8Array({ minLength: 1 })),
      data: fc.uint8Array({ minLength: 1, maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 3 }), async (payloads) => {
        const back = await codec.decode(await codec.encode(payloads as Payload[]));
        const bytes = (list: Payload[]) => list.map((it) => text(PayloadMessage.encode(it).finish()));
        expect(bytes(back)).toEqual(bytes(payloads as Payload[]));
      }),
      { numRuns: 50 },
    );
  });

  it('shows neither data nor metadata, and never the same bytes twice', async () => {
    const codec = codecWith('new');
    const payload = {
      ...defaultPayloadConverter.toPayload('marker'),
      metadata: { kind: Buffer.from('marker') },
    };
    const [a, b] = await codec.encode([payload, payload]);
    for (const sealed of [a!, b!]) {
      expect(text(PayloadMessage.encode(sealed).finish())).not.toContain('marker');
      expect(Object.keys(sealed.metadata!)).toEqual(['encoding', 'encryption-key-id']);
      expect(text(sealed.metadata!.encoding)).toBe('binary/encrypted');
      expect(text(sealed.metadata!['encryption-key-id'])).toBe('new');
    }
    expect(text(a!.data)).not.toBe(text(b!.data));
  });

  it('reads payloads of older keys while a newer one writes', async () => {
    const payload = defaultPayloadConverter.toPayload('kept');
    const before = await codecWith('old').encode([payload]);
    const [back] = await codecWith('new').decode(before);
    expect(defaultPayloadConverter.fromPayload(back!)).toBe('kept');
  });

  it('names a key that has been dropped', async () => {
    const before = await codecWith('old').encode([defaultPayloadConverter.toPayload(1)]);
    const failed = await codecWith('new', { new: keys.new })
      .decode(before)
      .catch((error) => error);
    expect(hasCode(failed, 'ENCRYPTION_KEY_NOT_FOUND')).toBe(true);
    expect(failed.message).toContain('"old"');
  });

  it('hands on what was never encrypted', async () => {
    const plain = [defaultPayloadConverter.toPayload('plain'), {}];
    expect(await codecWith('new').decode(plain)).toEqual(plain);
  });

  it('refuses payloads of which a single bit was changed, or bytes are missing', async () => {
    const codec = codecWith('new');
    const [sealed] = await codec.encode([defaultPayloadConverter.toPayload('hello')]);
    const data = sealed!.data!;
    await fc.assert(
      fc.asyncProperty(fc.nat(data.length * 8 - 1), async (bit) => {
        const changed = Uint8Array.from(data);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        const failed = await codec.decode([{ ...sealed!, data: changed }]).catch((error) => error);
        expect(hasCode(failed, 'DECRYPTION_FAILED')).toBe(true);
      }),
    );
    for (let length = 0; length < data.length; length += 3) {
      const failed = await codec
        .decode([{ ...sealed!, data: data.subarray(0, length) }])
        .catch((error) => error);
      expect(hasCode(failed, 'DECRYPTION_FAILED')).toBe(true);
    }
  });

  it('takes keys from elsewhere, asynchronously', async () => {
    const ring = keyRing({ keys, currentKeyId: 'new' });
    const codec = new AesGcmCodec({ currentKeyId: 'new', key: async (keyId) => ring.key(keyId) });
    const [back] = await codec.decode(await codec.encode([defaultPayloadConverter.toPayload(7)]));
    expect(defaultPayloadConverter.fromPayload(back!)).toBe(7);
  });
});

describe('key rings', () => {
  it('refuse keys of another length and a current key that is none', () => {
    expect(() => keyRing({ keys: { a: Buffer.alloc(16) }, currentKeyId: 'a' })).toThrow(
      /"a" has 16 bytes.*32/,
    );
    expect(() => keyRing({ keys, currentKeyId: 'b' })).toThrow(/"b".*none of the keys/);
  });

  it('come from the environment, and say what is wrong without quoting keys', async () => {
    const env = { PERDURE_ENCRYPTION_KEYS: JSON.stringify(keys), PERDURE_ENCRYPTION_KEY_ID: 'old' };
    expect(keyRingFromEnv(env).currentKeyId).toBe('old');
    expect(() => keyRingFromEnv({})).toThrow(/must be set/);
    for (const broken of ['nonsense', '[]', 'null', `{"a":"${keys.old}`]) {
      try {
        keyRingFromEnv({ ...env, PERDURE_ENCRYPTION_KEYS: broken });
        throw new Error('was taken');
      } catch (error) {
        expect(hasCode(error, 'VALUE_INVALID')).toBe(true);
        expect(inspect(error, { depth: 5 })).not.toContain(keys.old);
      }
    }
  });

  it('print no key', () => {
    const ring = keyRing({ keys, currentKeyId: 'old' });
    const shown = inspect([ring, ring.key('old'), new AesGcmCodec(ring)], { depth: 9, showHidden: true });
    expect(shown + JSON.stringify(ring)).not.toContain(keys.old);
    expect(shown).not.toContain(Buffer.from(keys.old, 'base64').toString('hex').slice(0, 8));
  });
});
