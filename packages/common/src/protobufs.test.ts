import { PayloadConverterError, ValueError } from '@perdure/common';
import { decode, encode } from '@perdure/common/lib/encoding';
import {
  DefaultPayloadConverterWithProtobufs,
  ProtobufBinaryPayloadConverter,
  ProtobufJsonPayloadConverter,
  patchProtobufRoot,
} from '@perdure/common/lib/protobufs';
import protobufjs from 'protobufjs';

const source = `
  syntax = "proto3";
  package shop;
  import "google/protobuf/timestamp.proto";
  import "google/protobuf/duration.proto";
  import "google/protobuf/wrappers.proto";
  import "google/protobuf/struct.proto";
  message Order {
    string order_id = 1;
    int64 cents = 2;
    bytes blob = 3;
    Status status = 4;
    repeated Item items = 5;
    map<string, Item> by_name = 6;
    google.protobuf.Timestamp placed = 7;
    google.protobuf.Duration patience = 8;
    google.protobuf.StringValue note = 9;
    google.protobuf.Struct extra = 10;
    double weight = 11;
    message Item { string name = 1; uint32 count = 2; }
  }
  enum Status { UNKNOWN = 0; PAID = 1; }
`;

const parsed = protobufjs.parse(source, new protobufjs.Root()).root;
for (const name of ['struct', 'wrappers', 'timestamp', 'duration']) {
  parsed.addJSON(protobufjs.common.get(`google/protobuf/${name}.proto`)!.nested!);
}
const root: any = patchProtobufRoot(parsed);
const { Order } = root.shop;

const order = Order.fromObject({
  orderId: 'o-1',
  cents: '9007199254740993',
  blob: Uint8Array.from([1, 2, 255]),
  status: 'PAID',
  items: [{ name: 'pen', count: 2 }],
  byName: { pen: { name: 'pen' } },
  placed: { seconds: 1763720000, nanos: 500_000_000 },
  patience: { seconds: 90, nanos: 0 },
  note: { value: 'fragile' },
  extra: {
    fields: {
      gift: { boolValue: true },
      list: { listValue: { values: [{ numberValue: 1 }, { nullValue: 0 }] } },
    },
  },
  weight: Number.POSITIVE_INFINITY,
});

const json = {
  orderId: 'o-1',
  cents: '9007199254740993',
  blob: 'AQL/',
  status: 'PAID',
  items: [{ name: 'pen', count: 2 }],
  byName: { pen: { name: 'pen' } },
  placed: '2025-11-21T10:13:20.500Z',
  patience: '90s',
  note: 'fragile',
  extra: { gift: true, list: [1, null] },
  weight: 'Infinity',
};

describe('protobufjs messages', () => {
  it('travel as proto3 JSON and come back equal', () => {
    const converter = new ProtobufJsonPayloadConverter(root);
    const payload = converter.toPayload(order)!;
    expect(decode(payload.metadata!.encoding!)).toBe('json/protobuf');
    expect(decode(payload.metadata!.messageType!)).toBe('shop.Order');
    expect(JSON.parse(decode(payload.data!))).toEqual(json);
    const back: any = converter.fromPayload(payload);
    expect(back).toBeInstanceOf(Order.ctor);
    expect(Buffer.from(Order.encode(back).finish()).equals(Buffer.from(Order.encode(order).finish()))).toBe(
      true,
    );
  });

  it('travel as bytes and come back equal', () => {
    const converter = new ProtobufBinaryPayloadConverter(root);
    const payload = converter.toPayload(order)!;
    expect(decode(payload.metadata!.encoding!)).toBe('binary/protobuf');
    expect(Object.getPrototypeOf(payload.data)).toBe(Uint8Array.prototype);
    expect(Order.toObject(converter.fromPayload(payload))).toEqual(Order.toObject(order));
  });

  it('are told from other values by the default converter with protobufs', () => {
    const converter = new DefaultPayloadConverterWithProtobufs({ protobufRoot: root });
    const encoding = (value: unknown) => decode(converter.toPayload(value).metadata!.encoding!);
    expect([encoding(order), encoding({ a: 1 }), encoding(undefined), encoding(new Uint8Array(1))]).toEqual([
      'json/protobuf',
      'json/plain',
      'binary/null',
      'binary/plain',
    ]);
    const binary = new ProtobufBinaryPayloadConverter().toPayload(order)!;
    expect(Order.toObject(converter.fromPayload(binary))).toEqual(Order.toObject(order));
  });

  it('of static modules are taken too', () => {
    class Note {
      text = '';
      static encode = (message: Note) => ({ finish: () => encode(message.text) });
      static decode = (bytes: Uint8Array) => Note.fromObject({ text: decode(bytes) });
      static fromObject = (object: object) => Object.assign(new Note(), object);
      static getTypeUrl = (prefix: string) => `${prefix}/notes.v1.Note`;
      toJSON() {
        return { text: this.text };
      }
    }
    const module = { notes: { v1: { Note } } };
    for (const converter of [
      new ProtobufJsonPayloadConverter(module),
      new ProtobufBinaryPayloadConverter(module),
    ]) {
      const payload = converter.toPayload(Note.fromObject({ text: 'hi' }))!;
      expect(decode(payload.metadata!.messageType!)).toBe('notes.v1.Note');
      expect(converter.fromPayload(payload)).toEqual(Note.fromObject({ text: 'hi' }));
    }
  });

  it('are refused without a root, of unknown type, and with damaged data', () => {
    const payload = new ProtobufBinaryPayloadConverter().toPayload(order)!;
    expect(() => new ProtobufBinaryPayloadConverter().fromPayload(payload)).toThrow(PayloadConverterError);
    const converter = new ProtobufBinaryPayloadConverter(root);
    const unknown = { ...payload, metadata: { ...payload.metadata, messageType: encode('shop.Nothing') } };
    expect(() => converter.fromPayload(unknown)).toThrow(/shop\.Nothing/);
    expect(() => converter.fromPayload({ ...payload, data: payload.data!.subarray(0, 4) })).toThrow(
      ValueError,
    );
    expect(() => converter.fromPayload({ data: payload.data })).toThrow(/messageType/);
    expect(() => new ProtobufJsonPayloadConverter('root' as any)).toThrow(PayloadConverterError);
  });
});

describe('a patched root', () => {
  it('has enum members and nested types as properties', () => {
    expect(root.shop.Status.PAID).toBe(1);
    expect(root.shop.Order.Item.create({ name: 'x' }).name).toBe('x');
  });
});
