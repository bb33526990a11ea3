/**
 * Values and failures to payloads and back, codecs included, bound to the data converter of one client.
 *
 * Owns    the messages around payloads: lists, memos, user metadata.
 * Leaves  the order of converter and codecs to @perdure/common.
 * D1  Every payload that leaves a client has been through all codecs, headers included, except search attributes,
 *     which the server reads.
 * D2  What the server would refuse for its size is refused here, with the size.
 */
import type {
  Headers,
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
  encodeMap,
  encodeMapToPayloads,
  encodeToPayload,
  encodeToPayloadsWithContext,
  wireCodecs,
} from '@perdure/common/lib/internal-non-workflow';
import type { Header, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { UserMetadata } from '@perdure/proto/temporal/api/sdk/v1/user_metadata';
import type { SizeCheck } from './size-check';

type TypeInfos = readonly TypeInfo<any, any>[];

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
  async toPayloads(
    values: readonly unknown[],
    context?: SerializationContext,
    typeInfo?: TypeInfos,
  ): Promise<Payloads | undefined> {
    const payloads = await encodeToPayloadsWithContext(this.converter, context, values, typeInfo);
    await this.sizes?.payloads(named('data', context), payloads); // D2
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
    const fields = await encodeMapToPayloads(this.converter, Object.fromEntries(defined), context);
    await this.sizes?.memo(named('memo', context), fields); // D2
    return fields;
  }

  /** What interceptors have put into headers; undefined for nothing. */
  async toHeader(headers: Headers, context?: SerializationContext): Promise<Header | undefined> {
    if (Object.keys(headers).length === 0) return undefined;
    return { fields: (await encodeMap(wireCodecs(this.converter), headers, context)) ?? {} };
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
