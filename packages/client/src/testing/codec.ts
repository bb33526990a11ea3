/** A codec that turns every byte around and notes what it did in the metadata. */
import type { Payload, PayloadCodec } from '@perdure/common';
import { Payload as PayloadMessage } from '@perdure/proto/temporal/api/common/v1/message';

const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff);

export class FlipCodec implements PayloadCodec {
  encoded = 0;
  decoded = 0;

  async encode(payloads: Payload[]): Promise<Payload[]> {
    this.encoded += payloads.length;
    return payloads.map((payload) => ({
      metadata: { encoding: Buffer.from('binary/flipped') },
      data: flip(PayloadMessage.encode(payload).finish()),
    }));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => {
      const encoding = Buffer.from(payload.metadata?.encoding ?? []).toString();
      if (encoding !== 'binary/flipped') throw new Error(`not flipped: ${encoding}`);
      this.decoded++;
      return PayloadMessage.decode(flip(payload.data!));
    });
  }
}
