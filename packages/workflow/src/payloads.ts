/**
 * Values of workflow code to payloads and back, with the run's converters.
 *
 * P1  The serialization context is only made for converters that may look at it: never for the default one.
 */
import {
  type ActivitySerializationContext,
  defaultPayloadConverter,
  fromPayloadWithTypeInfo,
  type Payload,
  type PayloadTypeInfo,
  type ProtoFailure,
  type SerializationContext,
  type TypeInfo,
  toPayloadWithTypeInfo,
} from '@perdure/common';
import type { Run } from './runtime/run';

/** The context of payloads that belong to the run itself, or to the workflow named. */
export function workflowContext(run: Run, workflowId = run.workflowId): SerializationContext | undefined {
  if (run.payloadConverter === defaultPayloadConverter) return undefined; // P1
  return { type: 'workflow', namespace: run.worker.registration.namespace, workflowId };
}

/** The context of payloads of one of the run's activities. */
export function activityContext(
  run: Run,
  activityId: string,
  isLocal: boolean,
): ActivitySerializationContext | undefined {
  if (run.payloadConverter === defaultPayloadConverter) return undefined; // P1
  return {
    type: 'activity',
    namespace: run.worker.registration.namespace,
    workflowId: run.workflowId,
    activityId,
    isLocal,
  };
}

export function toPayload(
  run: Run,
  value: unknown,
  context: SerializationContext | undefined,
  typeInfo?: TypeInfo<any, any>,
): Payload {
  if (typeInfo === undefined) return run.payloadConverter.toPayload(value, context);
  return toPayloadWithTypeInfo(run.payloadConverter, value, context, typeInfo);
}

export function fromPayload(
  run: Run,
  payload: Payload | undefined,
  context: SerializationContext | undefined,
  typeInfo?: TypeInfo<any, any>,
): unknown {
  if (payload === undefined) return undefined;
  if (typeInfo === undefined) return run.payloadConverter.fromPayload(payload, context);
  return fromPayloadWithTypeInfo(run.payloadConverter, payload, context, typeInfo);
}

export function argsToPayloads(
  run: Run,
  args: readonly unknown[],
  context: SerializationContext | undefined,
  typeInfo?: PayloadTypeInfo,
): Payload[] {
  const payloads: Payload[] = [];
  const inputTypes = typeInfo?.inputTypes;
  for (let i = 0; i < args.length; i++) payloads.push(toPayload(run, args[i], context, inputTypes?.[i]));
  return payloads;
}

export function payloadsToArgs(
  run: Run,
  payloads: readonly Payload[] | undefined,
  typeInfo?: { inputTypes?: readonly TypeInfo<any, any>[] },
): unknown[] {
  if (payloads === undefined || payloads.length === 0) return [];
  const context = workflowContext(run);
  const inputTypes = typeInfo?.inputTypes;
  return payloads.map((payload, i) => fromPayload(run, payload, context, inputTypes?.[i]));
}

export function failureToError(
  run: Run,
  failure: ProtoFailure | undefined,
  context?: SerializationContext,
): Error {
  return run.failureConverter.failureToError(
    failure ?? {},
    run.payloadConverter,
    context ?? workflowContext(run),
  );
}
