import {
  CompositePayloadConverter,
  DefaultPayloadConverter,
  type PayloadConverterWithEncoding,
} from '@perdure/common';
import { decode, encode } from '@perdure/common/lib/encoding';

const kinds: Record<
  string,
  [is: (x: any) => boolean, toJson: (x: any) => unknown, fromJson: (x: any) => unknown]
> = {
  bigint: [(x) => typeof x === 'bigint', String, BigInt],
  date: [(x) => x instanceof Date, Number, (x) => new Date(x)],
  map: [(x) => x instanceof Map, (x) => [...x], (x) => new Map(x)],
  set: [(x) => x instanceof Set, (x) => [...x], (x) => new Set(x)],
  number: [(x) => typeof x === 'number' && !Number.isFinite(x), String, Number],
};

const rich: PayloadConverterWithEncoding = {
  encodingType: 'json/rich',
  toPayload(value) {
    const json = JSON.stringify(value, function (this: any, key) {
      const kind = Object.keys(kinds).find((name) => kinds[name]![0](this[key])); // this[key]: before toJSON
      return kind === undefined ? this[key] : { $kind: kind, value: kinds[kind]![1](this[key]) };
    });
    return json === undefined
      ? undefined
      : { metadata: { encoding: encode('json/rich') }, data: encode(json) };
  },
  fromPayload: ({ data }) =>
    JSON.parse(decode(data!), (_, x) => (x && kinds[x.$kind] ? kinds[x.$kind]![2](x.value) : x)),
};

const [nothing, bytes, json] = new DefaultPayloadConverter().converters;
export const payloadConverter = new CompositePayloadConverter(nothing!, bytes!, rich, json!);
