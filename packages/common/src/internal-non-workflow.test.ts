import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  ApplicationFailure,
  defaultDataConverter,
  type Payload,
  type PayloadCodec,
  PayloadConverterError,
  ValueError,
} from '@perdure/common';
import {
  decodeArrayFromPayloads,
  decodeMapFromPayloads,
  decodeOptionalFailureToOptionalError,
  encodeErrorToFailure,
  encodeMapToPayloads,
  encodeToPayloads,
  isLoadedDataConverter,
  loadDataConverter,
  normalizeGrpcEndpointAddress,
  normalizeTlsConfig,
  splitProtoHostPort,
} from '@perdure/common/lib/internal-non-workflow';

/** Appends a byte, and insists on finding it again. */
function marking(mark: number): PayloadCodec {
  return {
    encode: async (payloads) =>
      payloads.map(({ data, ...rest }) => ({ ...rest, data: Uint8Array.from([...data!, mark]) })),
    decode: async (payloads) =>
      payloads.map(({ data, ...rest }) => {
        if (data!.at(-1) !== mark) throw new Error(`expected mark ${mark}`);
        return { ...rest, data: data!.subarray(0, -1) };
      }),
  };
}

const converter = { ...defaultDataConverter, payloadCodecs: [marking(1), marking(2)] };

describe('codecs', () => {
  it('apply in order on encode and in reverse on decode', async () => {
    const payloads = (await encodeToPayloads(converter, 'a', { b: 1 }))!;
    expect([...payloads[0]!.data!.slice(-2)]).toEqual([1, 2]);
    expect(await decodeArrayFromPayloads(converter, payloads)).toEqual(['a', { b: 1 }]);
    const map = await encodeMapToPayloads(converter, JSON.parse('{"x":1,"__proto__":2}'));
    expect(Object.entries((await decodeMapFromPayloads(converter, map))!)).toEqual([
      ['x', 1],
      ['__proto__', 2],
    ]);
  });

  it('apply to details and encoded attributes of whole failure chains', async () => {
    const error = ApplicationFailure.create({
      details: ['outer'],
      cause: ApplicationFailure.create({ details: ['inner'] }),
    });
    const failure = await encodeErrorToFailure(converter, error);
    const encoded = (payload: Payload) => [...payload.data!.slice(-2)];
    expect(encoded(failure.applicationFailureInfo!.details!.payloads![0]!)).toEqual([1, 2]);
    expect(encoded(failure.cause!.applicationFailureInfo!.details!.payloads![0]!)).toEqual([1, 2]);
    const back: any = await decodeOptionalFailureToOptionalError(converter, failure);
    expect([back.details, back.cause.details]).toEqual([['outer'], ['inner']]);
    expect(await decodeOptionalFailureToOptionalError(converter, null)).toBeUndefined();
  });

  it('must give as many payloads as they get', async () => {
    const losing: PayloadCodec = { encode: async () => [], decode: async () => undefined as any };
    const broken = { ...defaultDataConverter, payloadCodecs: [losing] };
    await expect(encodeToPayloads(broken, 1)).rejects.toThrow(/encode got 1 payloads and gave 0/);
    await expect(decodeArrayFromPayloads(broken, [{}])).rejects.toThrow(PayloadConverterError);
  });
});

describe('loadDataConverter', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'perdure-converters-'));
  afterAll(() => fs.rmSync(dir, { recursive: true }));
  const write = (name: string, source: string) => {
    const file = path.join(dir, name);
    fs.writeFileSync(file, source);
    return file;
  };

  it('loads converters from CommonJS exports and from a default export', () => {
    const methods = '{ toPayload() {}, fromPayload() {} }';
    for (const source of [
      `exports.payloadConverter = ${methods};`,
      `exports.default = { payloadConverter: ${methods} };`,
    ]) {
      const loaded = loadDataConverter({ payloadConverterPath: write(`good${source.length}.js`, source) });
      expect(typeof loaded.payloadConverter.toPayload).toBe('function');
      expect(loaded.failureConverter).toBe(defaultDataConverter.failureConverter);
      expect(isLoadedDataConverter(loaded)).toBe(true);
    }
    expect(loadDataConverter()).toEqual(defaultDataConverter);
  });

  it('says which option is wrong, and how', () => {
    const wrong: [string, RegExp][] = [
      [path.join(dir, 'absent.js'), /payloadConverterPath: the module .*absent/],
      [write('throws.js', 'throw new Error("broken module")'), /broken module/],
      [write('empty.js', ''), /exports no 'payloadConverter'/],
      [write('class.js', 'exports.payloadConverter = class {}'), /no method 'toPayload'/],
    ];
    for (const [payloadConverterPath, message] of wrong) {
      expect(() => loadDataConverter({ payloadConverterPath })).toThrow(PayloadConverterError);
      expect(() => loadDataConverter({ payloadConverterPath })).toThrow(message);
    }
  });
});

describe('addresses', () => {
  it('get the default port where they name none', () => {
    const table = [
      ['localhost', 'localhost:7233'],
      ['localhost:1', 'localhost:1'],
      ['10.0.0.1', '10.0.0.1:7233'],
      ['[::1]', '[::1]:7233'],
      ['[fe80::1%eth0]:9', '[fe80::1%eth0]:9'],
      ['https://cloud.example:443', 'cloud.example:443'],
    ];
    for (const [address, expected] of table)
      expect(normalizeGrpcEndpointAddress(address!, 7233)).toBe(expected);
  });

  it('are refused when they are none', () => {
    for (const address of [
      '',
      'a b',
      '::1',
      'host:',
      'host:65536',
      'host:port',
      'http://',
      'host/path',
      undefined,
    ]) {
      expect(splitProtoHostPort(address as any)).toBeUndefined();
      expect(() => normalizeGrpcEndpointAddress(address as any, 1)).toThrow(ValueError);
    }
  });
});

describe('TLS', () => {
  it('is on when asked for, and with an API key unless it is refused', () => {
    const config = { serverNameOverride: 'x' };
    expect([normalizeTlsConfig(true), normalizeTlsConfig(config), normalizeTlsConfig(null, true)]).toEqual([
      {},
      config,
      {},
    ]);
    expect([
      normalizeTlsConfig(false, true),
      normalizeTlsConfig(null),
      normalizeTlsConfig(undefined),
    ]).toEqual([undefined, undefined, undefined]);
  });
});
