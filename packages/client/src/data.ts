/**
 * Values and failures to payloads and back, codecs included, bound to the data converter of one client.
 *
 * Owns    the messages around payloads: lists, memos, user metadata.
 * Leaves  the order of converter and codecs to @perdure/common.
 * D1  Every payload that leaves a client has been through all codecs, except search attributes, which the server reads.
 */
import type {
  LoadedDataConverter,
  Payload,
  ProtoFailure,
  SerializationContext,
  TypeInfo,
} from '@perdure/common';
import {
  decodeArrayFromPayloads,
  decodeMapFromPayloads,
  decodeOptionalFailureToOptionalError,
  encodeErrorToFailure,
  encodeMapToPayloads,
  encodeToPayload,
  encodeToPayloadsWithContext,
} from '@perdure/common/lib/internal-non-workflow';
import type { Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { UserMetadata } from '@perdure/proto/temporal/api/sdk/v1/user_metadata';

type TypeInfos = readonly TypeInfo<any, any>[];

export class DataPipe {
  constructor(readonly converter: LoadedDataConverter) {}

  /** A list of values; undefined for an empty one. */
  async toPayloads(
    values: readonly unknown[],
    context?: SerializationContext,
    typeInfo?: TypeInfos,
  ): Promise<Payloads | undefined> {
    const payloads = await encodeToPayloadsWithContext(this.converter, context, values, typeInfo);
    return payloads && { payloads };
  }

  /** All values of a list. */
  async fromPayloads(
    list: Payloads | undefined,
    context?: SerializationContext,
    typeInfo?: TypeInfos,
  ): Promise<unknown[]> {
    return await decodeArrayFromPayloads(this.converter, list?.payloads, context, typeInfo);
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
  async toPayloadMap(
    map: Record<string, unknown>,
    context?: SerializationContext,
  ): Promise<Record<string, Payload>> {
    const defined = Object.entries(map).filter(([, value]) => value !== undefined);
    return await encodeMapToPayloads(this.converter, Object.fromEntries(defined), context);
  }

  async fromPayloadMap(
    map: Record<string, Payload> | undefined,
    context?: SerializationContext,
  ): Promise<Record<string, unknown> | undefined> {
    return await decodeMapFromPayloads(this.converter, map, context);
  }

  async toUserMetadata(
    summary: string | undefined,
    details: string | undefined,
    context?: SerializationContext,
  ): Promise<UserMetadata | undefined> {
    if (summary === undefined && details === undefined) return undefined;
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
