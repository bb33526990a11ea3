/**
 * Values and messages through converter and codecs, as clients, activities and converters of histories need it.
 *
 * D1  Codecs apply in order on encode, in reverse on decode.
 * D2  A codec must give back as many payloads as it got: anything else would move values to other arguments.
 * D3  Messages that are given are left as they are; results are new objects.
 * D4  Functions that take a converter take all stages of it, external storage included; those that take a list of
 *     codecs take these alone, and are given `wireCodecs(converter)`.
 */
import type { Payload, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { LoadedDataConverter } from '../converter/data-converter';
import type { PayloadCodec } from '../converter/payload-codec';
import {
  arrayFromPayloads,
  fromPayloadsAtIndex,
  toPayloads,
  toPayloadsWithContext,
  toPayloadWithTypeInfo,
} from '../converter/payload-converter';
import type { SerializationContext } from '../converter/serialization-context';
import type { TypeInfo } from '../converter/type-info';
import { PayloadConverterError } from '../errors';
import type { ProtoFailure } from '../failure';
import { wireCodecs } from './external-storage';

type Recode = (payloads: Payload[]) => Promise<Payload[]>;
type Maybe<T> = T | null | undefined;

/** D2 */
function checked(before: Payload[], after: Payload[], operation: string): Payload[] {
  if (!Array.isArray(after) || after.length !== before.length) {
    throw new PayloadConverterError(
      `PayloadCodec.${operation} got ${before.length} payloads and gave ${Array.isArray(after) ? after.length : 'no list'}`,
      undefined,
      'a codec must give one payload for each that it gets, in the same order',
    );
  }
  return after;
}

/** All payloads through all codecs. */
export async function encodePayloads(
  codecs: readonly PayloadCodec[],
  payloads: Payload[],
  context?: SerializationContext,
): Promise<Payload[]> {
  let current = payloads;
  for (const codec of codecs) current = checked(current, await codec.encode(current, context), 'encode'); // D1
  return current;
}

/** All payloads through all codecs, backwards. */
export async function decodePayloads(
  codecs: readonly PayloadCodec[],
  payloads: Payload[],
  context?: SerializationContext,
): Promise<Payload[]> {
  let current = payloads;
  for (let i = codecs.length - 1; i >= 0; i--) {
    current = checked(current, await codecs[i]!.decode(current, context), 'decode'); // D1
  }
  return current;
}

const encoder =
  (codecs: readonly PayloadCodec[], context?: SerializationContext): Recode =>
  (payloads) =>
    encodePayloads(codecs, payloads, context);
const decoder =
  (codecs: readonly PayloadCodec[], context?: SerializationContext): Recode =>
  (payloads) =>
    decodePayloads(codecs, payloads, context);

async function recodeList(recode: Recode, list: Payloads | undefined): Promise<Payloads | undefined> {
  return list?.payloads?.length ? { payloads: await recode(list.payloads) } : list;
}

async function recodeMap<K extends string>(
  recode: Recode,
  map: Record<K, Payload>,
): Promise<Record<K, Payload>> {
  const keys = Object.keys(map) as K[];
  if (keys.length === 0) return map;
  const recoded = await recode(keys.map((key) => map[key]));
  return Object.fromEntries(keys.map((key, index) => [key, recoded[index]!])) as Record<K, Payload>;
}

/** A failure with its details and encoded attributes, and those of its causes, recoded (D3). */
async function recodeFailure(recode: Recode, failure: ProtoFailure): Promise<ProtoFailure> {
  const result: ProtoFailure = { ...failure };
  if (failure.encodedAttributes) [result.encodedAttributes] = await recode([failure.encodedAttributes]);
  if (failure.cause) result.cause = await recodeFailure(recode, failure.cause);
  if (failure.applicationFailureInfo) {
    const details = await recodeList(recode, failure.applicationFailureInfo.details);
    result.applicationFailureInfo = { ...failure.applicationFailureInfo, details };
  }
  if (failure.canceledFailureInfo) {
    const details = await recodeList(recode, failure.canceledFailureInfo.details);
    result.canceledFailureInfo = { ...failure.canceledFailureInfo, details };
  }
  if (failure.timeoutFailureInfo) {
    const lastHeartbeatDetails = await recodeList(recode, failure.timeoutFailureInfo.lastHeartbeatDetails);
    result.timeoutFailureInfo = { ...failure.timeoutFailureInfo, lastHeartbeatDetails };
  }
  if (failure.resetWorkflowFailureInfo) {
    const { lastHeartbeatDetails: before } = failure.resetWorkflowFailureInfo;
    const lastHeartbeatDetails = await recodeList(recode, before);
    result.resetWorkflowFailureInfo = { ...failure.resetWorkflowFailureInfo, lastHeartbeatDetails };
  }
  return result;
}

/** Payloads through the codecs; nothing for null and undefined. */
export async function encodeOptional(
  codecs: readonly PayloadCodec[],
  payloads: Maybe<Payload[]>,
  context?: SerializationContext,
): Promise<Maybe<Payload[]>> {
  return payloads ? encodePayloads(codecs, payloads, context) : payloads;
}

export async function decodeOptional(
  codecs: readonly PayloadCodec[],
  payloads: Maybe<Payload[]>,
  context?: SerializationContext,
): Promise<Maybe<Payload[]>> {
  return payloads ? decodePayloads(codecs, payloads, context) : payloads;
}

export async function encodeOptionalSingle(
  codecs: readonly PayloadCodec[],
  payload: Maybe<Payload>,
  context?: SerializationContext,
): Promise<Maybe<Payload>> {
  return payload ? (await encodePayloads(codecs, [payload], context))[0] : payload;
}

export async function decodeOptionalSingle(
  codecs: readonly PayloadCodec[],
  payload: Maybe<Payload>,
  context?: SerializationContext,
): Promise<Maybe<Payload>> {
  return payload ? (await decodePayloads(codecs, [payload], context))[0] : payload;
}

export async function encodeMap<K extends string>(
  codecs: readonly PayloadCodec[],
  map: Maybe<Record<K, Payload>>,
  context?: SerializationContext,
): Promise<Maybe<Record<K, Payload>>> {
  return map ? recodeMap(encoder(codecs, context), map) : map;
}

export async function decodeMap<K extends string>(
  codecs: readonly PayloadCodec[],
  map: Maybe<Record<K, Payload>>,
  context?: SerializationContext,
): Promise<Maybe<Record<K, Payload>>> {
  return map ? recodeMap(decoder(codecs, context), map) : map;
}

export async function encodeOptionalFailure(
  codecs: readonly PayloadCodec[],
  failure: Maybe<ProtoFailure>,
  context?: SerializationContext,
): Promise<Maybe<ProtoFailure>> {
  return failure ? recodeFailure(encoder(codecs, context), failure) : failure;
}

export async function decodeOptionalFailure(
  codecs: readonly PayloadCodec[],
  failure: Maybe<ProtoFailure>,
  context?: SerializationContext,
): Promise<Maybe<ProtoFailure>> {
  return failure ? recodeFailure(decoder(codecs, context), failure) : failure;
}

/** One value, converted and encoded. */
export async function encodeToPayload(
  converter: LoadedDataConverter,
  value: unknown,
  context?: SerializationContext,
  typeInfo?: TypeInfo<any, any>,
): Promise<Payload> {
  const payload = toPayloadWithTypeInfo(converter.payloadConverter, value, context, typeInfo);
  return (await encodePayloads(wireCodecs(converter), [payload], context))[0]!;
}

/** A list of values, converted and encoded; undefined for none. */
export async function encodeToPayloads(
  converter: LoadedDataConverter,
  ...values: unknown[]
): Promise<Payload[] | undefined> {
  const payloads = toPayloads(converter.payloadConverter, ...values);
  return payloads && encodePayloads(wireCodecs(converter), payloads);
}

/** A list of values, converted and encoded in a context; undefined for none. */
export async function encodeToPayloadsWithContext(
  converter: LoadedDataConverter,
  context: SerializationContext | undefined,
  values: readonly unknown[],
  typeInfo?: readonly TypeInfo<any, any>[],
): Promise<Payload[] | undefined> {
  const payloads = toPayloadsWithContext(converter.payloadConverter, context, values, typeInfo);
  return payloads && encodePayloads(wireCodecs(converter), payloads, context);
}

/** The values of a record, converted and encoded. */
export async function encodeMapToPayloads<K extends string>(
  converter: LoadedDataConverter,
  map: Record<K, unknown>,
  context?: SerializationContext,
): Promise<Record<K, Payload>> {
  const payloads = Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key, converter.payloadConverter.toPayload(value, context)]),
  ) as Record<K, Payload>;
  return recodeMap(encoder(wireCodecs(converter), context), payloads);
}

/** The failure of anything thrown, converted and encoded. */
export async function encodeErrorToFailure(
  converter: LoadedDataConverter,
  error: unknown,
  context?: SerializationContext,
): Promise<ProtoFailure> {
  const failure = converter.failureConverter.errorToFailure(error, converter.payloadConverter, context);
  return recodeFailure(encoder(wireCodecs(converter), context), failure);
}

/** A list of payloads, decoded and converted; none for null and undefined. */
export async function decodeArrayFromPayloads(
  converter: LoadedDataConverter,
  payloads?: Payload[] | null,
  context?: SerializationContext,
  typeInfo?: readonly TypeInfo<any, any>[],
): Promise<unknown[]> {
  const decoded = await decodeOptional(wireCodecs(converter), payloads, context);
  return arrayFromPayloads(converter.payloadConverter, decoded, context, typeInfo);
}

/** The payload at `index`, decoded and converted; undefined when there is none. */
export async function decodeFromPayloadsAtIndex<T>(
  converter: LoadedDataConverter,
  index: number,
  payloads?: Payload[] | null,
  context?: SerializationContext,
  typeInfo?: TypeInfo<T, any>,
): Promise<T> {
  const decoded = await decodeOptional(wireCodecs(converter), payloads, context);
  return fromPayloadsAtIndex(converter.payloadConverter, index, decoded, context, typeInfo);
}

/** A record of payloads, decoded and converted; undefined for null and undefined. */
export async function decodeMapFromPayloads<K extends string, T = unknown>(
  converter: LoadedDataConverter,
  map: Maybe<Record<K, Payload>>,
  context?: SerializationContext,
): Promise<Record<K, T> | undefined> {
  if (!map) return undefined;
  const decoded = await recodeMap(decoder(wireCodecs(converter), context), map);
  return Object.fromEntries(
    Object.entries(decoded).map(([key, payload]) => [
      key,
      converter.payloadConverter.fromPayload<T>(payload as Payload, context),
    ]),
  ) as Record<K, T>;
}

/** The error of a failure, decoded and converted; undefined for null and undefined. */
export async function decodeOptionalFailureToOptionalError(
  converter: LoadedDataConverter,
  failure: Maybe<ProtoFailure>,
  context?: SerializationContext,
): Promise<Error | undefined> {
  if (!failure) return undefined;
  const decoded = await recodeFailure(decoder(wireCodecs(converter), context), failure);
  return converter.failureConverter.failureToError(decoded, converter.payloadConverter, context);
}
