import vm from 'node:vm';
import {
  arrayFromPayloads,
  CompositePayloadConverter,
  defaultPayloadConverter as converter,
  convertOptionalToPayload,
  encodingKeys,
  fromPayloadsAtIndex,
  fromPayloadWithTypeInfo,
  mapFromPayloads,
  mapToPayloads,
  PayloadConverterError,
  RawValue,
  rawValueTypeInfo,
  type TypeInfo,
  toPayloads,
  toPayloadWithTypeInfo,
  ValueError,
} from '@perdure/common';
import { decode } from '@perdure/common/lib/encoding';
import * as fc from 'fast-check';

const roundTrip = (value: unknown): unknown => converter.fromPayload(converter.toPayload(value));

describe('the default payload converter', () => {
  it('gives back every JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // JSON has no -0
        expect(roundTrip(value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('gives back bytes, and shares no memory with them', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const payload = converter.toPayload(bytes);
        expect(payload.data).toEqual(bytes);
        expect(payload.data!.buffer).not.toBe(bytes.buffer);
        const back = converter.fromPayload<Uint8Array>(payload);
        expect(back).toEqual(bytes);
        expect(back.buffer).not.toBe(payload.data!.buffer);
      }),
    );
  });

  it('names the encoding of each kind of value', () => {
    const encoding = (value: unknown) => decode(converter.toPayload(value).metadata!.encoding!);
    expect(encoding(undefined)).toBe('binary/null');
    expect(encoding(Buffer.from('x'))).toBe('binary/plain');
    expect(encoding(null)).toBe('json/plain');
    expect(encoding([new Uint8Array(1)])).toBe('json/plain');
  });

  it('takes bytes of another realm for bytes', () => {
    const bytes = vm.runInNewContext('new Uint8Array([1, 2, 3])');
    expect(decode(converter.toPayload(bytes).metadata!.encoding!)).toBe('binary/plain');
    expect([...(roundTrip(bytes) as Uint8Array)]).toEqual([1, 2, 3]);
  });

  it('refuses what it cannot convert, and says why', () => {
    const loop: any = {};
    loop.self = loop;
    class Account {
      toJSON() {
        throw new Error('account is closed');
      }
    }
    expect(() => converter.toPayload(loop)).toThrow(/circular/);
    expect(() => converter.toPayload(1n)).toThrow(/1n.*BigInt/);
    expect(() => converter.toPayload(new Account())).toThrow(/Account object.*account is closed/);
    expect(() => converter.toPayload(function greet() {})).toThrow(/function greet/);
    expect(() => converter.toPayload(Symbol('s'))).toThrow(ValueError);
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw null;
        },
      },
    );
    expect(() => converter.toPayload(hostile)).toThrow(ValueError);
  });

  it('refuses payloads without encoding, of unknown encoding, without data, without JSON', () => {
    expect(() => converter.fromPayload({})).toThrow('Missing payload metadata: encoding');
    expect(() => converter.fromPayload({ metadata: {} })).toThrow(ValueError);
    const metadata = { encoding: new TextEncoder().encode('binary/unheard-of') };
    expect(() => converter.fromPayload({ metadata })).toThrow('Unknown encoding: binary/unheard-of');
    const json = { encoding: encodingKeys.METADATA_ENCODING_JSON };
    expect(() => converter.fromPayload({ metadata: json })).toThrow('no data');
    expect(() => converter.fromPayload({ metadata: json, data: Buffer.from('{') })).toThrow(/no valid JSON/);
  });

  it('gives no two payloads the same metadata bytes', () => {
    const first = converter.toPayload(1);
    first.metadata!.encoding!.fill(0);
    encodingKeys.METADATA_ENCODING_JSON.fill(0);
    expect(decode(converter.toPayload(2).metadata!.encoding!)).toBe('json/plain');
  });

  it('leaves prototypes alone whatever JSON or maps say', () => {
    const value: any = converter.fromPayload({
      metadata: { encoding: encodingKeys.METADATA_ENCODING_JSON },
      data: Buffer.from('{"__proto__":{"polluted":true}}'),
    });
    expect(({} as any).polluted).toBeUndefined();
    const map = JSON.parse('{"__proto__":1,"constructor":2}');
    const payloads = mapToPayloads(converter, map);
    expect(Object.keys(payloads)).toEqual(['__proto__', 'constructor']);
    expect(Object.entries(mapFromPayloads(converter, payloads)!)).toEqual(Object.entries(map));
    expect(Object.keys(value)).toEqual(['__proto__']);
  });
});

describe('lists and maps', () => {
  it('keep order and holes', () => {
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    const values = [1, , undefined, 'x'];
    const payloads = toPayloads(converter, ...values)!;
    expect(arrayFromPayloads(converter, payloads)).toEqual([1, undefined, undefined, 'x']);
    expect(toPayloads(converter)).toBeUndefined();
  });

  it('treat null and undefined as nothing', () => {
    expect(arrayFromPayloads(converter, null)).toEqual([]);
    expect(mapFromPayloads(converter, undefined)).toBeUndefined();
    expect(fromPayloadsAtIndex(converter, 3, toPayloads(converter, 1))).toBeUndefined();
    expect(convertOptionalToPayload(converter, null)).toBeNull();
    expect(convertOptionalToPayload(converter, undefined)).toBeUndefined();
  });
});

describe('raw values', () => {
  it('pass a custom converter unconverted', () => {
    const refusing = {
      toPayload(): never {
        throw new Error('not to be called');
      },
      fromPayload(): never {
        throw new Error('not to be called');
      },
    };
    const raw = new RawValue('text');
    expect(toPayloads(refusing, raw)).toEqual([converter.toPayload('text')]);
    const payload = converter.toPayload({ a: 1 });
    expect(converter.toPayload(RawValue.fromPayload(payload))).toBe(payload);
    const decoded = fromPayloadWithTypeInfo(refusing, payload, undefined, rawValueTypeInfo);
    expect(decoded).toBeInstanceOf(RawValue);
    expect(decoded.payload).toBe(payload);
  });
});

describe('type info', () => {
  class Money {
    constructor(readonly cents: number) {}
  }
  const money: TypeInfo<Money, number> = {
    transferTypeConverter: {
      toTransferType: ({ cents }) => cents,
      fromTransferType: (cents) => new Money(cents),
    },
  };

  it('converts between the value and what is sent', () => {
    const payload = toPayloadWithTypeInfo(converter, new Money(5), undefined, money);
    expect(converter.fromPayload(payload)).toBe(5);
    expect(fromPayloadWithTypeInfo(converter, payload, undefined, money)).toEqual(new Money(5));
    expect(arrayFromPayloads(converter, [payload, payload], undefined, [money])).toEqual([new Money(5), 5]);
  });

  it('is refused when its hint is for a converter that is not there', () => {
    const info: TypeInfo = { payloadConverterHint: { converter: 'protobuf' } };
    expect(() => toPayloadWithTypeInfo(converter, 1, undefined, info)).toThrow(PayloadConverterError);
  });

  it('hands its hint to the converter that takes it', () => {
    const seen: unknown[] = [];
    const hinted = new CompositePayloadConverter({
      encodingType: 'x',
      toPayload: (_value, _context, hint) => {
        seen.push(hint);
        return { metadata: { encoding: Buffer.from('x') } };
      },
      fromPayload: (_payload, _context, hint) => hint as any,
      validateConverterHint: (hint) => hint.converter === 'mine',
    });
    const info: TypeInfo = { payloadConverterHint: { converter: 'mine' } };
    const payload = toPayloadWithTypeInfo(hinted, 1, undefined, info);
    expect(seen).toEqual([info.payloadConverterHint]);
    expect(fromPayloadWithTypeInfo(hinted, payload, undefined, info)).toBe(info.payloadConverterHint);
  });
});
