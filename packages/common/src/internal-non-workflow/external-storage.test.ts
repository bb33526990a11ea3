import {
  ActivityFailure,
  ApplicationFailure,
  defaultDataConverter,
  defaultPayloadConverter,
  ExternalStorage,
  hasCode,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
  type StorageDriver,
  StorageDriverClaim,
  type StorageDriverStoreContext,
} from '@perdure/common';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
  decodeReference,
  encodeErrorToFailure,
  encodeReference,
  encodeToPayloadsWithContext,
  retrievePayloads,
  storePayloads,
  withStorageTarget,
} from '@perdure/common/lib/internal-non-workflow';
import fc from 'fast-check';

class MemoryDriver implements StorageDriver {
  readonly type = 'memory';
  readonly stored = new Map<string, Payload>();
  readonly contexts: StorageDriverStoreContext[] = [];

  constructor(readonly name: string) {}

  async store(context: StorageDriverStoreContext, payloads: Payload[]): Promise<StorageDriverClaim[]> {
    this.contexts.push(context);
    return payloads.map((payload) => {
      const key = `${this.name}-${this.stored.size}`;
      this.stored.set(key, payload);
      return new StorageDriverClaim({ key });
    });
  }

  async retrieve(_context: unknown, claims: StorageDriverClaim[]): Promise<Payload[]> {
    return claims.map(({ claimData }) => this.stored.get(claimData.key!)!);
  }
}

const of = (size: number): Payload => ({ metadata: {}, data: new Uint8Array(size).fill(size % 251) });
const converterWith = (
  externalStorage?: ExternalStorage,
  payloadCodecs: PayloadCodec[] = [],
): LoadedDataConverter => ({
  ...defaultDataConverter,
  payloadCodecs,
  ...(externalStorage && { externalStorage }),
});

describe('external storage', () => {
  it('replaces large payloads by references and resolves them, keeping order', async () => {
    const driver = new MemoryDriver('m');
    const storage = new ExternalStorage({ drivers: [driver], payloadSizeThreshold: 100 });
    const payloads = [of(10), of(200), of(20), of(300)];
    const sent = await storePayloads(storage, payloads);
    expect(driver.stored.size).toBe(2);
    expect(sent[0]).toBe(payloads[0]);
    expect(sent[2]).toBe(payloads[2]);
    expect(decodeReference(sent[1]!)).toEqual({
      driverName: 'm',
      claimData: { key: 'm-0' },
      sizeBytes: 203,
    });
    expect(await retrievePayloads(storage, sent)).toEqual(payloads);
  });

  it('asks each driver once for all its payloads, as the selector says, and lets null stay inline', async () => {
    const [a, b] = [new MemoryDriver('a'), new MemoryDriver('b')];
    const storage = new ExternalStorage({
      drivers: [a, b],
      payloadSizeThreshold: 0,
      driverSelector: (_context, { data }) => (data!.length === 3 ? null : data!.length % 2 === 0 ? a : b),
    });
    const payloads = [of(2), of(3), of(4), of(5)];
    const sent = await storePayloads(storage, payloads, { kind: 'workflow', namespace: 'n', id: 'w' });
    expect(sent[1]).toBe(payloads[1]);
    expect([a.contexts.length, b.contexts.length]).toEqual([1, 1]);
    expect([a.stored.size, b.stored.size]).toEqual([2, 1]);
    expect(a.contexts[0]!.target).toEqual({ kind: 'workflow', namespace: 'n', id: 'w' });
    expect(await retrievePayloads(storage, sent)).toEqual(payloads);
  });

  it('comes after the codecs: drivers see encoded bytes only', async () => {
    const driver = new MemoryDriver('m');
    const xor: PayloadCodec = {
      encode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data!.map((byte) => byte ^ 0x55) })),
      decode: async (payloads) => payloads.map((p) => ({ ...p, data: p.data!.map((byte) => byte ^ 0x55) })),
    };
    const converter = converterWith(new ExternalStorage({ drivers: [driver], payloadSizeThreshold: 50 }), [
      xor,
    ]);
    const secret = 'marker '.repeat(20);
    const context = withStorageTarget(
      { type: 'workflow', namespace: 'n', workflowId: 'w' },
      { kind: 'workflow', namespace: 'n', id: 'w', runId: 'r', type: 'order' },
    );
    const sent = await encodeToPayloadsWithContext(converter, context, [secret, 1]);
    expect(Buffer.from([...driver.stored.values()][0]!.data!).toString()).not.toContain('marker');
    expect(driver.contexts[0]!.target).toMatchObject({ runId: 'r', type: 'order' });
    expect(await decodeArrayFromPayloads(converter, sent)).toEqual([secret, 1]);
  });

  it('reaches details of failures at any depth', async () => {
    const driver = new MemoryDriver('m');
    const converter = converterWith(new ExternalStorage({ drivers: [driver], payloadSizeThreshold: 50 }));
    const details = 'detail '.repeat(50);
    const error = new ActivityFailure(
      'outer',
      'a',
      'id',
      'NON_RETRYABLE_FAILURE',
      'me',
      ApplicationFailure.create({ message: 'inner', details: [details] }),
    );
    const failure = await encodeErrorToFailure(converter, error);
    expect(JSON.stringify(failure)).not.toContain('detail detail');
    const back = await decodeOptionalFailureToOptionalError(converter, failure);
    expect((back as any).cause.details).toEqual([details]);
  });

  it('gives activities outside of workflows as their own target', async () => {
    const driver = new MemoryDriver('m');
    const converter = converterWith(new ExternalStorage({ drivers: [driver], payloadSizeThreshold: 0 }));
    await encodeToPayloadsWithContext(
      converter,
      { type: 'activity', namespace: 'n', activityId: 'a', isLocal: false },
      [1],
    );
    await encodeToPayloadsWithContext(
      converter,
      { type: 'activity', namespace: 'n', activityId: 'a', workflowId: 'w', isLocal: false },
      [1],
    );
    expect(driver.contexts.map(({ target }) => target)).toEqual([
      { kind: 'activity', namespace: 'n', id: 'a' },
      { kind: 'workflow', namespace: 'n', id: 'w' },
    ]);
  });

  it('is missed with an error of that name, by converters in the sandbox too', async () => {
    const reference = encodeReference({ driverName: 'm', claimData: {}, sizeBytes: 1 });
    const failed = await decodeArrayFromPayloads(converterWith(), [reference]).catch((error) => error);
    expect(hasCode(failed, 'EXTERNAL_STORAGE_NOT_CONFIGURED')).toBe(true);
    expect(() => defaultPayloadConverter.fromPayload(reference)).toThrow(/no external storage is configured/);
  });

  it('names the driver that is not there', async () => {
    const storage = new ExternalStorage({ drivers: [new MemoryDriver('here')] });
    const reference = encodeReference({ driverName: 'there', claimData: {}, sizeBytes: 1 });
    await expect(retrievePayloads(storage, [reference])).rejects.toThrow(
      /driver 'there'.*none of that name here \('here'\)/,
    );
  });

  it('refuses a driver of the selector that is not registered', async () => {
    const storage = new ExternalStorage({
      drivers: [new MemoryDriver('m')],
      payloadSizeThreshold: 0,
      driverSelector: () => new MemoryDriver('m'),
    });
    await expect(storePayloads(storage, [of(1)])).rejects.toThrow(/'m', which is none of/);
  });

  it('tells the other drivers when one fails, and waits for them', async () => {
    let told: unknown;
    const failing: StorageDriver = {
      name: 'failing',
      type: 't',
      store: async () => {
        throw new Error('disk full');
      },
      retrieve: async () => [],
    };
    const slow: StorageDriver = {
      name: 'slow',
      type: 't',
      store: ({ abortSignal }, payloads) =>
        new Promise((resolve) => {
          (abortSignal as AbortSignal).addEventListener('abort', () => {
            told = (abortSignal as AbortSignal).reason;
            resolve(payloads.map(() => new StorageDriverClaim({})));
          });
        }),
      retrieve: async () => [],
    };
    let turn = 0;
    const storage = new ExternalStorage({
      drivers: [failing, slow],
      payloadSizeThreshold: 0,
      driverSelector: () => (turn++ === 0 ? slow : failing),
    });
    await expect(storePayloads(storage, [of(1), of(2)])).rejects.toThrow('disk full');
    expect(told).toMatchObject({ message: 'disk full' });
  });

  it('refuses drivers that give too little, or no payloads', async () => {
    const bad = (given: any): ExternalStorage =>
      new ExternalStorage({
        drivers: [{ name: 'bad', type: 't', store: async () => given, retrieve: async () => given }],
        payloadSizeThreshold: 0,
      });
    const reference = encodeReference({ driverName: 'bad', claimData: {}, sizeBytes: 1 });
    await expect(storePayloads(bad([]), [of(1)])).rejects.toThrow(/store of driver 'bad' gave 0 for 1/);
    await expect(storePayloads(bad(null), [of(1)])).rejects.toThrow(/gave no list/);
    await expect(retrievePayloads(bad([null]), [reference])).rejects.toThrow(
      /gave null in place of a payload/,
    );
  });

  it('reads any reference as a reference or as a typed error, and pollutes nothing', () => {
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.constantFrom(
        '{"driverName":"m","claimData":{"__proto__":"x"}}',
        '{"__proto__":{"driverName":"m"}}',
        '{"driverName":"m","claimData":{"k":1}}',
        '[]',
        'null',
        '[['.repeat(5000),
      ),
    );
    fc.assert(
      fc.property(text, (json) => {
        const reference = { ...encodeReference({ driverName: 'm', claimData: {}, sizeBytes: 1 }) };
        reference.data = new TextEncoder().encode(json);
        try {
          expect(decodeReference(reference).driverName).not.toBe('');
        } catch (error) {
          expect(hasCode(error, 'VALUE_INVALID')).toBe(true);
        }
        expect(({} as any).driverName).toBeUndefined();
      }),
    );
  });
});
