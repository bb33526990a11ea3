/**
 * Values and failures to payloads and back, codecs included.
 *
 * Owns    the order: converter → codecs on the way out, codecs → converter on the way in.
 * D1  Every payload that leaves a client has been through all codecs, except search attributes, which the server reads.
 * D2  Payloads inside failures (details, encoded attributes, heartbeat details) go through the codecs like all others,
 *     at every depth of the chain of causes.
 */
import {
  arrayFromPayloads,
  type DataConverter,
  defaultFailureConverter,
  defaultPayloadConverter,
  type FailureConverter,
  type LoadedDataConverter,
  type Payload,
  type PayloadCodec,
  type PayloadConverter,
  type ProtoFailure,
  type SerializationContext,
  type TypeInfo,
  toPayloadsWithContext,
  ValueError,
} from '@perdure/common';
import type { Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { UserMetadata } from '@perdure/proto/temporal/api/sdk/v1/user_metadata';

function loadExport<T>(path: string, name: string, methods: readonly string[]): T {
  let module: Record<string, any>;
  try {
    module = require(path);
  } catch (cause) {
    throw new ValueError(`Could not load a file at the specified ${name}Path: '${path}'`, cause);
  }
  const found = module[name] ?? module.default?.[name];
  if (found === undefined) {
    throw new ValueError(`Module ${path} does not have a \`${name}\` named export`);
  }
  for (const method of methods) {
    if (typeof found[method] !== 'function') {
      throw new ValueError(`${name} exported by ${path} must have a method ${method}`);
    }
  }
  return found as T;
}

/**
 * Loads the modules that a data converter names.
 * @throws {ValueError} a module cannot be loaded, or does not export what it should
 */
export function loadDataConverter({
  payloadConverterPath,
  failureConverterPath,
  payloadCodecs = [],
  externalStorage,
}: DataConverter = {}): LoadedDataConverter {
  return {
    payloadConverter:
      payloadConverterPath === undefined
        ? defaultPayloadConverter
        : loadExport<PayloadConverter>(payloadConverterPath, 'payloadConverter', [
            'toPayload',
            'fromPayload',
          ]),
    failureConverter:
      failureConverterPath === undefined
        ? defaultFailureConverter
        : loadExport<FailureConverter>(failureConverterPath, 'failureConverter', [
            'errorToFailure',
            'failureToError',
          ]),
    payloadCodecs,
    ...(externalStorage !== undefined && { externalStorage }),
  };
}

type Recode = (payloads: Payload[]) => Promise<Payload[]>;

async function recodeList<T extends Payloads | undefined>(list: T, recode: Recode): Promise<T> {
  if (list?.payloads === undefined || list.payloads.length === 0) return list;
  return { ...list, payloads: await recode(list.payloads) };
}

/** D2 */
async function recodeFailure(failure: ProtoFailure, recode: Recode): Promise<ProtoFailure> {
  const recoded: ProtoFailure = { ...failure };
  if (failure.encodedAttributes !== undefined) {
    const [attributes] = await recode([failure.encodedAttributes]);
    recoded.encodedAttributes = attributes!;
  }
  if (failure.applicationFailureInfo?.details !== undefined) {
    const details = await recodeList(failure.applicationFailureInfo.details, recode);
    recoded.applicationFailureInfo = { ...failure.applicationFailureInfo, details };
  }
  if (failure.canceledFailureInfo?.details !== undefined) {
    const details = await recodeList(failure.canceledFailureInfo.details, recode);
    recoded.canceledFailureInfo = { ...failure.canceledFailureInfo, details };
  }
  if (failure.timeoutFailureInfo?.lastHeartbeatDetails !== undefined) {
    const lastHeartbeatDetails = await recodeList(failure.timeoutFailureInfo.lastHeartbeatDetails, recode);
    recoded.timeoutFailureInfo = { ...failure.timeoutFailureInfo, lastHeartbeatDetails };
  }
  if (failure.resetWorkflowFailureInfo?.lastHeartbeatDetails !== undefined) {
    const lastHeartbeatDetails = await recodeList(
      failure.resetWorkflowFailureInfo.lastHeartbeatDetails,
      recode,
    );
    recoded.resetWorkflowFailureInfo = { ...failure.resetWorkflowFailureInfo, lastHeartbeatDetails };
  }
  if (failure.cause !== undefined) recoded.cause = await recodeFailure(failure.cause, recode);
  return recoded;
}

/** One data converter, with its codecs in the right places. */
export class DataPipe {
  private readonly codecs: readonly PayloadCodec[];

  constructor(readonly converter: LoadedDataConverter) {
    this.codecs = converter.payloadCodecs;
  }

  /** Through all codecs, first to last. */
  async encode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    let encoded = payloads;
    for (const codec of this.codecs) encoded = await codec.encode(encoded, context);
    return encoded;
  }

  /** Through all codecs, last to first. */
  async decode(payloads: Payload[], context?: SerializationContext): Promise<Payload[]> {
    let decoded = payloads;
    for (let i = this.codecs.length - 1; i >= 0; i--)
      decoded = await this.codecs[i]!.decode(decoded, context);
    return decoded;
  }

  /** A list of values; undefined for an empty one. */
  async toPayloads(
    values: readonly unknown[],
    context?: SerializationContext,
    typeInfo?: readonly TypeInfo<any, any>[],
  ): Promise<Payloads | undefined> {
    const payloads = toPayloadsWithContext(this.converter.payloadConverter, context, values, typeInfo);
    return payloads === undefined ? undefined : { payloads: await this.encode(payloads, context) };
  }

  /** All values of a list. */
  async fromPayloads(
    list: Payloads | undefined,
    context?: SerializationContext,
    typeInfo?: readonly TypeInfo<any, any>[],
  ): Promise<unknown[]> {
    if (list?.payloads === undefined || list.payloads.length === 0) return [];
    const payloads = await this.decode(list.payloads, context);
    return arrayFromPayloads(this.converter.payloadConverter, payloads, context, typeInfo);
  }

  /** The first value of a list, undefined for an empty one. */
  async firstValue<T>(
    list: Payloads | undefined,
    context?: SerializationContext,
    outputType?: TypeInfo<any, any>,
  ): Promise<T> {
    const first = list?.payloads?.slice(0, 1);
    const [value] = await this.fromPayloads({ payloads: first }, context, outputType && [outputType]);
    return value as T;
  }

  async toPayload(value: unknown, context?: SerializationContext): Promise<Payload> {
    const [payload] = await this.encode([this.converter.payloadConverter.toPayload(value, context)], context);
    return payload!;
  }

  async fromPayload<T>(payload: Payload, context?: SerializationContext): Promise<T> {
    const [decoded] = await this.decode([payload], context);
    return this.converter.payloadConverter.fromPayload<T>(decoded!, context);
  }

  /** A record of values, for memos. */
  async toPayloadMap(
    map: Record<string, unknown>,
    context?: SerializationContext,
  ): Promise<Record<string, Payload>> {
    const entries = Object.entries(map).filter(([, value]) => value !== undefined);
    const payloads = entries.map(([, value]) => this.converter.payloadConverter.toPayload(value, context));
    const encoded = await Promise.all(payloads.map((payload) => this.encode([payload], context)));
    return Object.fromEntries(entries.map(([key], index) => [key, encoded[index]![0]!]));
  }

  async fromPayloadMap(
    map: Record<string, Payload> | undefined,
    context?: SerializationContext,
  ): Promise<Record<string, unknown> | undefined> {
    if (map === undefined) return undefined;
    const entries = Object.entries(map);
    const values = await Promise.all(entries.map(([, payload]) => this.fromPayload(payload, context)));
    return Object.fromEntries(entries.map(([key], index) => [key, values[index]]));
  }

  async toUserMetadata(
    summary: string | undefined,
    details: string | undefined,
    context?: SerializationContext,
  ): Promise<UserMetadata | undefined> {
    if (summary === undefined && details === undefined) return undefined;
    return {
      ...(summary !== undefined && { summary: await this.toPayload(summary, context) }),
      ...(details !== undefined && { details: await this.toPayload(details, context) }),
    };
  }

  async toFailure(error: unknown, context?: SerializationContext): Promise<ProtoFailure> {
    const { failureConverter, payloadConverter } = this.converter;
    const failure = failureConverter.errorToFailure(error, payloadConverter, context);
    if (this.codecs.length === 0) return failure;
    return await recodeFailure(failure, (payloads) => this.encode(payloads, context));
  }

  async fromFailure(failure: ProtoFailure, context?: SerializationContext): Promise<Error> {
    const { failureConverter, payloadConverter } = this.converter;
    const decoded =
      this.codecs.length === 0
        ? failure
        : await recodeFailure(failure, (payloads) => this.decode(payloads, context));
    return failureConverter.failureToError(decoded, payloadConverter, context);
  }
}
