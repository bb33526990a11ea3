import type { PayloadCodec } from '@perdure/common';
import { CodecResponse } from '@perdure/proto/perdure/core/v1/exchange';
import { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import Long from 'long';
import { CodecStage } from './codec-stage';

const bytesOf = (text: string) => Payload.encode({ data: Buffer.from(text) }).finish();
const textOf = (bytes: Uint8Array) => Buffer.from(Payload.decode(bytes).data ?? []).toString();

/** A codec that wraps the data of each payload into `mark(...)`. */
const wrapper = (mark: string): PayloadCodec => ({
  encode: async (payloads) =>
    payloads.map(({ data }) => ({ data: Buffer.from(`${mark}(${Buffer.from(data!)})`) })),
  decode: async (payloads) =>
    payloads.map(({ data }) => ({
      data: Buffer.from(
        Buffer.from(data!)
          .toString()
          .slice(mark.length + 1, -1),
      ),
    })),
});

async function serve(codecs: PayloadCodec[], encode: boolean, groups: string[][]) {
  const answers: Uint8Array[] = [];
  const stage = new CodecStage(codecs, 'ns', (answer) => answers.push(answer));
  await stage.serve({
    id: Long.fromNumber(7),
    encode,
    workflowId: 'wf',
    groups: groups.map((texts) => ({ payloads: texts.map(bytesOf) })),
  });
  expect(answers).toHaveLength(1);
  const response = CodecResponse.decode(answers[0]!);
  expect(response.id?.toNumber()).toBe(7);
  return response;
}

it('applies codecs in order on encode and in reverse on decode, group by group', async () => {
  const codecs = [wrapper('a'), wrapper('b')];
  const encoded = await serve(codecs, true, [['x', 'y'], ['z']]);
  const texts = encoded.groups!.map(({ payloads }) => payloads!.map(textOf));
  expect(texts).toEqual([['b(a(x))', 'b(a(y))'], ['b(a(z))']]);
  const decoded = await serve(codecs, false, texts);
  expect(decoded.groups!.map(({ payloads }) => payloads!.map(textOf))).toEqual([['x', 'y'], ['z']]);
});

it('tells codecs which workflow the payloads belong to', async () => {
  const contexts: unknown[] = [];
  const codec: PayloadCodec = {
    encode: async (payloads, context) => {
      contexts.push(context);
      return payloads;
    },
    decode: async (payloads) => payloads,
  };
  await serve([codec], true, [['x']]);
  expect(contexts).toEqual([{ type: 'workflow', namespace: 'ns', workflowId: 'wf' }]);
});

it.each([
  ['an error', () => Promise.reject(new TypeError('no key')), 'payload codec: TypeError: no key'],
  ['null', () => Promise.reject(null), 'payload codec: null'],
  [
    'a hostile object',
    () =>
      Promise.reject({
        toString() {
          throw new Error('no');
        },
      }),
    'payload codec: an error that cannot be shown',
  ],
])('answers with a text when a codec rejects with %s', async (_, encode, text) => {
  const response = await serve([{ encode, decode: encode } as PayloadCodec], true, [['x']]);
  expect(response.error).toBe(text);
  expect(response.groups ?? []).toEqual([]);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('at once');
    },
  ],
  ['gives no list', async () => 'junk'],
  ['gives no payloads', async () => [5]],
])('answers with a text when a codec %s', async (_, encode) => {
  const response = await serve([{ encode, decode: encode } as any], true, [['x']]);
  expect(response.error).toMatch(/^payload codec: /);
});

it('hands large data on without a copy on the way in, and as bytes all the way', async () => {
  const bytes = Payload.encode({ data: new Uint8Array(2_000_000).fill(7) }).finish();
  let isView = false;
  const codec: PayloadCodec = {
    encode: async (payloads) => {
      isView = payloads[0]!.data!.buffer === bytes.buffer;
      return payloads;
    },
    decode: async (payloads) => payloads,
  };
  const answers: Uint8Array[] = [];
  const stage = new CodecStage([codec], 'ns', (answer) => answers.push(answer));
  const groups = [{ payloads: [bytes] }];
  await stage.serve({ id: Long.ONE, encode: true, groups }); // loads and warms everything
  const before = process.memoryUsage();
  await stage.serve({ id: Long.ONE, encode: true, groups });
  const after = process.memoryUsage();
  expect(isView).toBe(true);
  expect(CodecResponse.decode(answers[1]!).groups![0]!.payloads![0]).toHaveLength(bytes.length);
  // Texts and lists of numbers would be on the heap.
  expect(after.heapUsed - before.heapUsed).toBeLessThan(1_000_000);
  // The payload's message, and the answer around it, each written once.
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(5 * bytes.length);
});
