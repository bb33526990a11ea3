/**
 * Errors to temporal.api.failure.v1.Failure and back.
 *
 * C1  errorToFailure never throws and always ends: loops and absurd depths of `cause` are cut, what cannot be read
 *     of a hostile error is left out, details that cannot be converted are replaced by a note that says so.
 * C2  A failure that came over the wire goes on as it came.
 * C3  failureToError takes any message: unknown kinds and enum values become plain failures, never exceptions.
 *     Only a payload converter's own error passes.
 */
import type { Payload, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import Long from 'long';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  decodeApplicationFailureCategory,
  decodeRetryState,
  decodeTimeoutType,
  encodeApplicationFailureCategory,
  encodeRetryState,
  encodeTimeoutType,
  ensureApplicationFailure,
  FAILURE_SOURCE,
  NexusOperationFailure,
  type ProtoFailure,
  type RetryState,
  ServerFailure,
  TemporalFailure,
  TerminatedFailure,
  TimeoutFailure,
  type TimeoutType,
} from '../failure';
import { handlerErrorFrom, handlerInfoOf } from '../nexus-handler-error';
import { cutoffStackTrace } from '../stack-trace';
import { msOptionalToTs, optionalTsToMs } from '../time';
import { errorMessage, isError, isRecord, readProperty } from '../type-helpers';
import {
  arrayFromPayloads,
  fromPayloadsAtIndex,
  type PayloadConverter,
  toPayloadsWithContext,
} from './payload-converter';
import type { SerializationContext } from './serialization-context';

export { cutoffStackTrace };

/** Converts every failure that an application sends. Give one with `dataConverter.failureConverterPath`. */
export interface FailureConverter {
  /** @param err whatever was thrown */
  errorToFailure(
    err: unknown,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): ProtoFailure;

  /** @returns a TemporalFailure */
  failureToError(
    err: ProtoFailure,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): Error;
}

/** What goes into Failure.encodedAttributes; the names are shared with the other SDKs. */
export interface DefaultEncodedFailureAttributes {
  message: string;
  stack_trace: string;
}

export interface DefaultFailureConverterOptions {
  /** Move message and stack into a payload, where codecs reach them (to encrypt them). Default false. */
  encodeCommonAttributes: boolean;
}

/** Longer chains are cut. The protocol's readers limit the depth of messages, and nobody reads so far. */
const MAX_CAUSES = 50;
const ENCODED_MESSAGE = 'Encoded failure';

/** The converter of this SDK; understands, and is understood by, those of the other languages. */
export class DefaultFailureConverter implements FailureConverter {
  readonly options: DefaultFailureConverterOptions;

  constructor(options?: Partial<DefaultFailureConverterOptions>) {
    this.options = { encodeCommonAttributes: options?.encodeCommonAttributes ?? false };
  }

  /** The error of one failure, without its causes and its stack. */
  failureToErrorInner(
    failure: ProtoFailure,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): Error {
    const message = failure.message ?? undefined;
    const list = (payloads: Payloads | null | undefined) =>
      arrayFromPayloads(payloadConverter, payloads?.payloads, context);
    const cause = this.optionalFailureToOptionalError(failure.cause, payloadConverter, context);

    if (failure.applicationFailureInfo) {
      const info = failure.applicationFailureInfo;
      return new ApplicationFailure(
        message,
        info.type || undefined,
        Boolean(info.nonRetryable),
        list(info.details),
        cause,
        optionalTsToMs(info.nextRetryDelay),
        orUndefined(decodeApplicationFailureCategory, info.category),
      );
    }
    if (failure.serverFailureInfo) {
      return new ServerFailure(message, Boolean(failure.serverFailureInfo.nonRetryable), cause);
    }
    if (failure.timeoutFailureInfo) {
      const info = failure.timeoutFailureInfo;
      const timeout = new TimeoutFailure(
        message,
        fromPayloadsAtIndex(payloadConverter, 0, info.lastHeartbeatDetails?.payloads, context),
        orUndefined(decodeTimeoutType, info.timeoutType) as TimeoutType,
      );
      timeout.cause = cause;
      return timeout;
    }
    if (failure.terminatedFailureInfo) return new TerminatedFailure(message, cause);
    if (failure.canceledFailureInfo) {
      return new CancelledFailure(message, list(failure.canceledFailureInfo.details), cause);
    }
    if (failure.resetWorkflowFailureInfo) {
      return new ApplicationFailure(
        message,
        'ResetWorkflow',
        false,
        list(failure.resetWorkflowFailureInfo.lastHeartbeatDetails),
        cause,
      );
    }
    if (failure.childWorkflowExecutionFailureInfo) {
      const info = failure.childWorkflowExecutionFailureInfo;
      return new ChildWorkflowFailure(
        info.namespace || undefined,
        info.workflowExecution ?? {},
        info.workflowType?.name ?? '',
        orUndefined(decodeRetryState, info.retryState),
        cause,
      );
    }
    if (failure.activityFailureInfo) {
      const info = failure.activityFailureInfo;
      return new ActivityFailure(
        message,
        info.activityType?.name ?? '',
        info.activityId || undefined,
        orUndefined(decodeRetryState, info.retryState),
        info.identity || undefined,
        cause,
      );
    }
    if (failure.nexusOperationExecutionFailureInfo) {
      const info = failure.nexusOperationExecutionFailureInfo;
      return new NexusOperationFailure(
        message,
        info.scheduledEventId === undefined || info.scheduledEventId === null
          ? undefined
          : Long.fromValue(info.scheduledEventId).toNumber(),
        info.endpoint ?? '',
        info.service ?? '',
        info.operation ?? '',
        info.operationToken || info.operationId || undefined,
        cause,
      );
    }
    if (failure.nexusHandlerFailureInfo) {
      return handlerErrorFrom(message ?? '', failure.nexusHandlerFailureInfo, cause);
    }
    return new TemporalFailure(message, cause);
  }

  failureToError(
    failure: ProtoFailure,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): Error {
    // C2: the original stays as it is, codecs of the next hop may not know what was decoded here
    const decoded = withDecodedAttributes(failure, payloadConverter, context);
    const error = this.failureToErrorInner(decoded, payloadConverter, context);
    error.stack = decoded.stackTrace ?? '';
    if (error instanceof TemporalFailure) error.failure = failure;
    return error;
  }

  errorToFailure(
    err: unknown,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): ProtoFailure {
    const failure = this.errorToFailureInner(err, payloadConverter, context);
    if (!this.options.encodeCommonAttributes) return failure;
    return this.#encodeAttributes(failure, payloadConverter, context, 0);
  }

  /** The failure of an error, with its causes, message and stack in plain text. */
  errorToFailureInner(
    err: unknown,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): ProtoFailure {
    return this.#convert(err, payloadConverter, context, new Set());
  }

  optionalFailureToOptionalError(
    failure: ProtoFailure | undefined | null,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): Error | undefined {
    return failure ? this.failureToError(failure, payloadConverter, context) : undefined;
  }

  optionalErrorToOptionalFailure(
    err: unknown,
    payloadConverter: PayloadConverter,
    context?: SerializationContext,
  ): ProtoFailure | undefined {
    return err === undefined || err === null
      ? undefined
      : this.errorToFailure(err, payloadConverter, context);
  }

  /** @param seen  errors of the chain so far (C1) */
  #convert(
    err: unknown,
    payloadConverter: PayloadConverter,
    context: SerializationContext | undefined,
    seen: Set<unknown>,
  ): ProtoFailure {
    if (err instanceof TemporalFailure) {
      const original = readProperty(err, 'failure');
      if (isRecord(original)) return original as ProtoFailure; // C2
    }
    seen.add(err);
    const base: ProtoFailure = {
      message: textOfThrown(err),
      source: FAILURE_SOURCE,
      stackTrace: stackOf(err),
    };
    const cause = readProperty(err, 'cause');
    if (cause !== undefined && cause !== null && !seen.has(cause) && seen.size < MAX_CAUSES) {
      base.cause = this.#convert(cause, payloadConverter, context, seen);
    }
    const read = <T>(key: string) => readProperty(err, key) as T | undefined;
    const payloadsOf = (values: unknown): Payloads | undefined => {
      if (!Array.isArray(values) || values.length === 0) return undefined;
      return { payloads: convertDetails(values, payloadConverter, context) };
    };
    const text = (key: string): string => stringOr(read(key), '');

    if (err instanceof ActivityFailure) {
      base.activityFailureInfo = {
        activityId: text('activityId'),
        activityType: { name: text('activityType') },
        identity: text('identity'),
        retryState: orUndefined(encodeRetryState, read<RetryState>('retryState')),
      };
    } else if (err instanceof ChildWorkflowFailure) {
      const execution = read('execution');
      base.childWorkflowExecutionFailureInfo = {
        namespace: text('namespace'),
        workflowExecution: {
          workflowId: stringOr(readProperty(execution, 'workflowId'), ''),
          runId: stringOr(readProperty(execution, 'runId'), ''),
        },
        workflowType: { name: text('workflowType') },
        retryState: orUndefined(encodeRetryState, read<RetryState>('retryState')),
      };
    } else if (err instanceof NexusOperationFailure) {
      const id = read<number>('scheduledEventId');
      base.nexusOperationExecutionFailureInfo = {
        scheduledEventId: typeof id === 'number' ? Long.fromNumber(id) : undefined,
        endpoint: text('endpoint'),
        service: text('service'),
        operation: text('operation'),
        operationToken: text('operationToken'),
      };
    } else if (err instanceof ApplicationFailure) {
      base.applicationFailureInfo = {
        type: text('type'),
        nonRetryable: Boolean(read('nonRetryable')),
        details: payloadsOf(read('details')),
        nextRetryDelay: orUndefined(msOptionalToTs, read('nextRetryDelay')),
        category: orUndefined(encodeApplicationFailureCategory, read('category')),
      };
    } else if (err instanceof CancelledFailure) {
      base.canceledFailureInfo = { details: payloadsOf(read('details')) };
    } else if (err instanceof TimeoutFailure) {
      const details = read('lastHeartbeatDetails');
      base.timeoutFailureInfo = {
        timeoutType: orUndefined(encodeTimeoutType, read<TimeoutType>('timeoutType')),
        lastHeartbeatDetails: details === undefined ? undefined : payloadsOf([details]),
      };
    } else if (err instanceof ServerFailure) {
      base.serverFailureInfo = { nonRetryable: Boolean(read('nonRetryable')) };
    } else if (err instanceof TerminatedFailure) {
      base.terminatedFailureInfo = {};
    } else if (handlerInfoOf(err) !== undefined) {
      base.nexusHandlerFailureInfo = handlerInfoOf(err);
    } else if (err instanceof TemporalFailure) {
      // no more than message, stack and cause
    } else {
      // Every other error is the application's.
      base.applicationFailureInfo = {
        type: stringOr(ensureApplicationFailure(err).type, 'Error'),
        nonRetryable: false,
      };
      if (!isError(err)) {
        base.message = describeThrown(err);
        // A thrown value that is no error has no stack that says where it came from.
        base.stackTrace = '';
      }
    }
    return base;
  }

  /** Moves message and stack of a failure made here, and of its causes, into payloads. */
  #encodeAttributes(
    failure: ProtoFailure,
    payloadConverter: PayloadConverter,
    context: SerializationContext | undefined,
    depth: number,
  ): ProtoFailure {
    if (failure.encodedAttributes !== undefined && failure.encodedAttributes !== null) return failure;
    const attributes: DefaultEncodedFailureAttributes = {
      message: failure.message ?? '',
      stack_trace: failure.stackTrace ?? '',
    };
    return {
      ...failure,
      encodedAttributes: payloadConverter.toPayload(attributes, context),
      message: ENCODED_MESSAGE,
      stackTrace: '',
      cause:
        failure.cause && depth < MAX_CAUSES
          ? this.#encodeAttributes(failure.cause, payloadConverter, context, depth + 1)
          : undefined,
    };
  }
}

/** The converter used where none is configured. */
export const defaultFailureConverter: FailureConverter = new DefaultFailureConverter();

/** The failure with message and stack taken out of its encoded attributes, if they can be read. */
function withDecodedAttributes(
  failure: ProtoFailure,
  payloadConverter: PayloadConverter,
  context: SerializationContext | undefined,
): ProtoFailure {
  if (!failure.encodedAttributes) return failure;
  let attributes: unknown;
  try {
    attributes = payloadConverter.fromPayload(failure.encodedAttributes, context);
  } catch {
    return failure; // encoded by somebody whose codec is not known here
  }
  const message = readProperty(attributes, 'message');
  const stackTrace = readProperty(attributes, 'stack_trace');
  return {
    ...failure,
    message: typeof message === 'string' ? message : failure.message,
    stackTrace: typeof stackTrace === 'string' ? stackTrace : failure.stackTrace,
  };
}

/** Converts details one by one: one that cannot be converted does not cost the failure (C1). */
function convertDetails(
  values: unknown[],
  payloadConverter: PayloadConverter,
  context: SerializationContext | undefined,
): Payload[] {
  return Array.from(values, (value) => {
    try {
      return toPayloadsWithContext(payloadConverter, context, [value])![0]!;
    } catch (error) {
      const note = `detail could not be converted: ${errorMessage(error) ?? 'unknown reason'}`;
      return payloadConverter.toPayload(note, context);
    }
  });
}

/** The result of a conversion, undefined when it refuses its input. */
function orUndefined<I, O>(convert: (input: I) => O, input: I): O | undefined {
  try {
    return convert(input);
  } catch {
    return undefined;
  }
}

function stringOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

/** The message of anything thrown. */
function textOfThrown(thrown: unknown): string {
  const message = readProperty(thrown, 'message');
  if (typeof message === 'string') return message;
  return describeThrown(thrown);
}

function describeThrown(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (isRecord(thrown)) {
    const message = readProperty(thrown, 'message');
    if (typeof message === 'string' && message !== '') return message;
    try {
      const json = JSON.stringify(thrown);
      if (typeof json === 'string') return json;
    } catch {
      // loops, BigInt, hostile toJSON: say what it is instead
    }
  }
  try {
    return String(thrown);
  } catch {
    return 'a value that cannot be turned into text was thrown';
  }
}

function stackOf(thrown: unknown): string {
  const stack = readProperty(thrown, 'stack');
  return typeof stack === 'string' ? cutoffStackTrace(stack) : '';
}
