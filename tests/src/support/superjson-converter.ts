import {
  CompositePayloadConverter,
  type PayloadConverterWithEncoding,
  UndefinedPayloadConverter,
} from '@perdure/common';
import { decode, encode } from '@perdure/common/lib/encoding';
import superjson from 'superjson';

const converter: PayloadConverterWithEncoding = {
  encodingType: 'json/superjson',
  toPayload: (x) => ({
    metadata: { encoding: encode('json/superjson') },
    data: encode(superjson.stringify(x)),
  }),
  fromPayload: ({ data }) => superjson.parse(decode(data!)),
};
export const payloadConverter = new CompositePayloadConverter(new UndefinedPayloadConverter(), converter);
