/** The data converter: how values and failures become payloads, and what happens to payloads on their way. */
import type { ExternalStorage } from './extstore';
import { defaultFailureConverter, type FailureConverter } from './failure-converter';
import type { PayloadCodec } from './payload-codec';
import { defaultPayloadConverter, type PayloadConverter } from './payload-converter';

/** Option of clients and workers. Converters are given by path: workers load them into the sandbox too. */
export interface DataConverter {
  /** Module that exports `payloadConverter`; default: the default payload converter. */
  payloadConverterPath?: string;
  /** Module that exports `failureConverter`; default: the default failure converter. */
  failureConverterPath?: string;
  /** Applied in order on encode, in reverse on decode. Default none. */
  payloadCodecs?: PayloadCodec[];
  /** Where large payloads go. */
  externalStorage?: ExternalStorage;
}

/** A data converter with its parts at hand. */
export interface LoadedDataConverter {
  payloadConverter: PayloadConverter;
  failureConverter: FailureConverter;
  payloadCodecs: PayloadCodec[];
  externalStorage?: ExternalStorage;
}

export const defaultDataConverter: LoadedDataConverter = {
  payloadConverter: defaultPayloadConverter,
  failureConverter: defaultFailureConverter,
  payloadCodecs: [],
};
