/**
 * Values and failures to payloads and back, codecs included, bound to the data converter of one client.
 *
 * Owns    the messages around payloads: lists, memos, user metadata.
 * Leaves  the order of converter and codecs to @perdure/common.
 * D1  Every payload that leaves a client has been through all codecs, headers included, except search attributes,
 *     which the server reads.
 * D2  What the server would refuse for its size is refused here, with the size.
 * D3  Where nothing stands between converter and server, values convert without waiting: most clients have neither
 *     codecs nor external storage, and every wait costs a call more than the conversion itself.
 */
import type {
  Headers,
  LoadedDataConverter,
  Payload,
  ProtoFailure,
  SerializationContext,
  TypeInfo,
} from '@perdure/common';
import { arrayFromPayloads, toPayloadsWithContext } from '@perdure/common/lib/converter/payload-converter';
import { isReferencePayload } from '@perdure/common/lib/converter/reference-payload';
import {
  decodeArrayFromPayloads,
  decodeMapFromPayloads,
  decodeOptionalFailureToOptionalError,
  encodeErrorToFailure,
  encodeMap,
  encodeMapToPayloads,
  encodeToPayload,
  encodeToPayloadsWithContext,
  hasWireStages,
  wireCodecs,
} from '@perdure/common/lib/internal-non-workflow';
import type { Header, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { UserMetadata } from '@perdure/proto/temporal/api/sdk/v1/user_metadata';
import type { SizeCheck } from './size-check';

type TypeInfos = readonly TypeInfo<any, any>[];
/** Known at once (D3), or later. */
type Soon<T> = T | Promise<T>;

/** Names what is sent for messages about its size. */
function named(what: string, context: SerializationContext | undefined): string {
  if (context === undefined) return `the ${what}`;
  return context.type === 'workflow'
    ? `the ${what} for workflow '${context.workflowId}'`
    : `the ${what} for activity '${context.activityId ?? ''}'`;
}

export class DataPipe {
  constructor(
    readonly converter: LoadedDataConverter,
    private readonly sizes?: SizeCheck,
  ) {}

  /** A list of values; undefined for an empty one. */
  toPayloads(
    values: readonly unknown[],
    context?: SerializationContext,
    typeInfo?: TypeInfos,
  ): Soon<Payloads | undefined> {
    if (values.length === 0) return undefined;
    if (hasWireStages(this.converter)) return this.encodeList(values, context, typeInfo);
    const payloads = toPayloadsWithContext(this.converter.payloadConverter, context, values, typeInfo);
    return this.checked(payloads, context);
  }

  private async encodeList(
    values: readonly unknown[],
    context: SerializationContext | undefined,
    typeInfo: TypeInfos | undefined,
  ): Promise<Payloads | undefined> {
    const payloads = await encodeToPayloadsWithContext(this.converter, context, values, typeInfo);
    return await this.checked(payloads, context);
  }

  /** D2 */
  private checked(
    payloads: Payload[] | undefined,
    context: SerializationContext | undefined,
  ): Soon<Payloads | undefined> {
    const list = payloads && { payloads };
    const waits = this.sizes?.payloads(() => named('data', context), payloads);
    return waits === undefined ? list : waits.then(() => list);
  }

  /** All values of a list. */
  fromPayloads(
    list: Payloads | undefined,
    context?: SerializationContext,
    typeInfo?: TypeInfos,
  ): Soon<unknown[]> {
    const payloads = list?.payloads;
    if (hasWireStages(this.converter) || payloads?.some(isReferencePayload)) {
      return decodeArrayFromPayloads(this.converter, payloads, context, typeInfo);
    }
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

  async fromPayload<T>(payload: Payload, context?: SerializationContext): Promise<T> {
    return await this.firstValue<T>({ payloads: [payload] }, context);
  }

  /** A record of values, for memos; undefined values are left out. */
  toPayloadMap(map: Record<string, unknown>, context?: SerializationContext): Soon<Record<string, Payload>> {
    const defined = Object.entries(map).filter(([, value]) => value !== undefined);
    if (hasWireStages(this.converter)) return this.encodeMap(Object.fromEntries(defined), context);
    const { payloadConverter } = this.converter;
    const fields = Object.fromEntries(
      defined.map(([key, value]) => [key, payloadConverter.toPayload(value, context)]),
    );
    return this.checkedMemo(fields, context);
  }

  private async encodeMap(
    map: Record<string, unknown>,
    context: SerializationContext | undefined,
  ): Promise<Record<string, Payload>> {
    return await this.checkedMemo(await encodeMapToPayloads(this.converter, map, context), context);
  }

  /** D2 */
  private checkedMemo(
    fields: Record<string, Payload>,
    context: SerializationContext | undefined,
  ): Soon<Record<string, Payload>> {
    const waits = this.sizes?.memo(() => named('memo', context), fields);
    return waits === undefined ? fields : waits.then(() => fields);
  }

  /** What interceptors have put into headers; undefined for nothing. */
  toHeader(headers: Headers, context?: SerializationContext): Soon<Header | undefined> {
    if (Object.keys(headers).length === 0) return undefined;
    const encoded = encodeMap(wireCodecs(this.converter), headers, context);
    return encoded.then((fields) => ({ fields: fields ?? {} }));
  }

  async fromPayloadMap(
    map: Record<string, Payload> | undefined,
    context?: SerializationContext,
  ): Promise<Record<string, unknown> | undefined> {
    return await decodeMapFromPayloads(this.converter, map, context);
  }

  toUserMetadata(
    summary: string | undefined,
    details: string | undefined,
    context?: SerializationContext,
  ): Soon<UserMetadata | undefined> {
    if (summary === undefined && details === undefined) return undefined;
    return this.encodeUserMetadata(summary, details, context);
  }

  private async encodeUserMetadata(
    summary: string | undefined,
    details: string | undefined,
    context: SerializationContext | undefined,
  ): Promise<UserMetadata> {
    return {
      ...(summary !== undefined && { summary: await encodeToPayload(this.converter, summary, context) }),
      ...(details !== undefined && { details: await encodeToPayload(this.converter, details, context) }),
    };
  }

  async toFailure(error: unknown, context?: SerializationContext): Promise<ProtoFailure> {
    return await encodeErrorToFailure(this.converter, error, context);
  }

  async fromFailure(failure: ProtoFailure, context?: SerializationContext): Promise<Error> {
    return (await decodeOptionalFailureToOptionalError(this.converter, failure, context))!;
  }
}
