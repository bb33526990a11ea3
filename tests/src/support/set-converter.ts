/** A payload converter that knows sets; loaded by path, on the main thread and in the sandbox. */
import { CompositePayloadConverter, DefaultPayloadConverter } from '@perdure/common';

const inner = new DefaultPayloadConverter();

class SetConverter {
  readonly encodingType = 'test/set';
  toPayload(value: unknown) {
    if (!(value instanceof Set)) return undefined;
    const payload = inner.toPayload([...value]);
    return { metadata: { encoding: bytes('test/set') }, data: payload.data };
  }
  fromPayload(payload: any): any {
    return new Set(
      inner.fromPayload<unknown[]>({ metadata: { encoding: bytes('json/plain') }, data: payload.data }),
    );
  }
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

export const payloadConverter = new CompositePayloadConverter(new SetConverter(), ...inner.converters);
