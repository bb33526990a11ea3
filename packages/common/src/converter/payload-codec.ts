/** The asynchronous stage between payload converter and wire: encryption, compression, offloading. */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { SerializationContext } from './serialization-context';

/** Bytes to bytes. Several codecs apply in order on encode, in reverse on decode. Never runs in the sandbox. */
export interface PayloadCodec {
  encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;

  decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]>;
}
