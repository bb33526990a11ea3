/**
 * Values to payloads and back for one activity: payload converter, then codecs, then external storage.
 *
 * P1  Codecs apply in order on encode, in reverse on decode, to all payloads of a field in one call.
 * P2  Payloads inside a failure pass the codecs too, at any depth of its causes.
 */
import type {
  ActivitySerializationContext,
  Headers,
  LoadedDataConverter,
  PayloadCodec,
  PayloadTypeInfo,
} from '@perdure/common';
import {
  arrayFromPayloads,
  fromPayloadsAtIndex,
  PayloadConverterError,
  toPayloadWithTypeInfo,
} from '@perdure/common';
import { hasWireStages, wireCodecs, withStorageTarget } from '@perdure/common/lib/internal-non-workflow';
import type { Payload, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import type { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import type { Start } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { activityOptionsOf } from './definition';
import type { AnyActivityFunction } from './registry';

/** Whose payloads an attempt has to do with; external storage counts them to the workflow where there is one. */
export function contextOf(start: Start, ownNamespace: string): ActivitySerializationContext {
  const { activityId, activityType, workflowExecution, workflowType, workflowNamespace, runId } = start;
  const namespace = workflowNamespace || ownNamespace;
  const workflowId = workflowExecution?.workflowId || undefined;
  const context: ActivitySerializationContext = {
    type: 'activity',
    namespace,
    activityId: activityId || undefined,
    workflowId,
    isLocal: start.isLocal ?? false,
  };
  return withStorageTarget(
    context,
    workflowId === undefined
      ? { kind: 'activity', namespace, id: activityId ?? '', runId: runId ?? '', type: activityType ?? '' }
      : {
          kind: 'workflow',
          namespace,
          id: workflowId,
          runId: workflowExecution?.runId ?? '',
          type: workflowType ?? '',
        },
  );
}

export class PayloadStage {
  readonly #codecs: readonly PayloadCodec[];

  constructor(
    private readonly converter: LoadedDataConverter,
    private readonly context: ActivitySerializationContext,
  ) {
    this.#codecs = wireCodecs(converter);
  }

  get hasCodecs(): boolean {
    return hasWireStages(this.converter);
  }

  /** Through the codecs, from the wire. */
  async decodePayloads(payloads: Payload[] | undefined): Promise<Payload[]> {
    let current = payloads ?? [];
    if (current.length === 0) return current;
    for (const codec of [...this.#codecs].reverse()) {
      current = list(await codec.decode(current, this.context)); // P1
    }
    return current;
  }

  /** Through the codecs, to the wire. */
  async encodePayloads(payloads: Payload[]): Promise<Payload[]> {
    let current = payloads;
    if (current.length === 0) return current;
    for (const codec of this.#codecs) current = list(await codec.encode(current, this.context));
    return current;
  }

  /** The one value that heartbeat details are. */
  async decodeFirst(payloads: Payload[] | undefined): Promise<unknown> {
    if (payloads === undefined || payloads.length === 0) return undefined;
    return fromPayloadsAtIndex(
      this.converter.payloadConverter,
      0,
      await this.decodePayloads(payloads),
      this.context,
    );
  }

  async decodeHeaders(headers: Readonly<Record<string, Payload>> | undefined): Promise<Headers> {
    const decoded: Headers = Object.create(null);
    for (const [name, payload] of Object.entries(headers ?? {})) {
      const [first] = await this.decodePayloads([payload]);
      if (first !== undefined) decoded[name] = first;
    }
    return decoded;
  }

  /** Arguments of `fn`. */
  toValues(payloads: Payload[], fn: AnyActivityFunction): unknown[] {
    return arrayFromPayloads(
      this.converter.payloadConverter,
      payloads,
      this.context,
      typeInfoOf(fn)?.inputTypes,
    );
  }

  /** One value, before the codecs. */
  toPayloads(value: unknown): Payload[] {
    return [this.#toPayload(value)];
  }

  /** A result of `fn`, ready for the wire. */
  async encodeResult(value: unknown, fn: AnyActivityFunction): Promise<Payload> {
    const [result] = await this.encodePayloads([this.#toPayload(value, typeInfoOf(fn)?.outputType)]);
    if (result === undefined)
      throw new PayloadConverterError('A payload codec gave no payload for the result');
    return result;
  }

  /** A failure ready for the wire. */
  async encodeFailure(error: unknown): Promise<Failure> {
    const { failureConverter, payloadConverter } = this.converter;
    const failure = failureConverter.errorToFailure(error, payloadConverter, this.context);
    return this.hasCodecs ? this.#encodeInside(failure) : failure;
  }

  #toPayload(value: unknown, typeInfo?: NonNullable<PayloadTypeInfo['outputType']>): Payload {
    const payload = toPayloadWithTypeInfo(this.converter.payloadConverter, value, this.context, typeInfo);
    if (typeof payload !== 'object' || payload === null) {
      throw new PayloadConverterError(`The payload converter gave ${String(payload)} in place of a payload`);
    }
    return payload;
  }

  /** P2 */
  async #encodeInside(failure: Failure): Promise<Failure> {
    const encoded: Failure = { ...failure };
    if (failure.encodedAttributes) {
      encoded.encodedAttributes = (await this.encodePayloads([failure.encodedAttributes]))[0];
    }
    for (const [info, field] of PAYLOAD_FIELDS) {
      const holder = failure[info] as Record<string, Payloads | undefined> | undefined;
      const payloads = holder?.[field]?.payloads;
      if (payloads === undefined || payloads.length === 0) continue;
      (encoded as Record<string, unknown>)[info] = {
        ...holder,
        [field]: { payloads: await this.encodePayloads(payloads) },
      };
    }
    if (failure.cause) encoded.cause = await this.#encodeInside(failure.cause);
    return encoded;
  }
}

/** Where failures hold payloads. */
const PAYLOAD_FIELDS = [
  ['applicationFailureInfo', 'details'],
  ['canceledFailureInfo', 'details'],
  ['timeoutFailureInfo', 'lastHeartbeatDetails'],
  ['resetWorkflowFailureInfo', 'lastHeartbeatDetails'],
] as const satisfies readonly (readonly [keyof Failure, string])[];

function list(payloads: unknown): Payload[] {
  if (
    !Array.isArray(payloads) ||
    payloads.some((payload) => typeof payload !== 'object' || payload === null)
  ) {
    throw new PayloadConverterError('A payload codec gave something else than an array of payloads');
  }
  return payloads;
}

function typeInfoOf(fn: AnyActivityFunction): PayloadTypeInfo | undefined {
  return activityOptionsOf(fn)?.typeInfo;
}
