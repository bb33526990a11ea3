/**
 * Holds results, failures and heartbeat details against the server's size limits, before the server has to.
 *
 * Owns    when the limits are asked for, and what becomes of an outcome that is too large.
 * Leaves  counting to @perdure/common, where limits come from to the host.
 * Z1  A payload below ASK_FROM_BYTES costs one count; the limits are asked for when the first larger one comes.
 * Z2  Where the host cannot say the limits, they are the server's defaults.
 */
import { PayloadTooLargeError } from '@perdure/common';
import { type PayloadLimits, payloadsBytes } from '@perdure/common/lib/internal-non-workflow';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { ActivityTaskFailedCause } from '@perdure/proto/temporal/api/enums/v1/failed_cause';
import { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import type { ActivityExecutionResult } from '@perdure/proto/temporal/sdk/core/activity_result/activity_result';

/** Says the limits of the namespace; `false`: there are none. */
export type PayloadLimitsSource = (() => Promise<Pick<PayloadLimits, 'payloadsErrorBytes'>>) | false;

/** `type` of the failure of an attempt whose outcome is too large; the core uses the same. */
export const PAYLOADS_TOO_LARGE = 'PayloadsTooLarge';

/** What a server refuses unless it is configured otherwise, in bytes. */
const DEFAULT_ERROR_BYTES = 2 * 1024 * 1024;
/** No server is set up to refuse less. */
const ASK_FROM_BYTES = 256 * 1024;
/** What is kept of the texts of a failure that is too large, in UTF-16 units. */
const KEPT_TEXT = 4096;

export class SizeGate {
  #errorBytes: Promise<number> | undefined;

  constructor(private readonly source: PayloadLimitsSource | undefined) {}

  /** Whether `payloads` have to be held against the limits at all. Z1 */
  mayBeTooLarge(payloads: readonly Payload[]): boolean {
    return this.source !== false && payloadsBytes(payloads) > ASK_FROM_BYTES;
  }

  /** What is wrong with the size of `payloads`; undefined if nothing is. @param what names them for the message */
  async excess(what: string, payloads: readonly Payload[]): Promise<PayloadTooLargeError | undefined> {
    return this.#excess(what, payloadsBytes(payloads));
  }

  /** `result` itself, or the failure that takes its place when it is too large. */
  async admit(result: ActivityExecutionResult, activityType: string): Promise<ActivityExecutionResult> {
    const { completed, failed, cancelled } = result;
    if (completed?.result !== undefined) {
      const error = await this.excess(`the result of activity '${activityType}'`, [completed.result]);
      if (error !== undefined) return tooLarge(error);
    }
    const failure = failed?.failure ?? cancelled?.failure;
    if (failure !== undefined) {
      const what = `the ${failed ? 'failure' : 'cancellation'} of activity '${activityType}'`;
      const error = await this.#excess(what, Failure.encode(failure).finish().length);
      if (error !== undefined) return tooLarge(error, failure);
    }
    return result;
  }

  async #excess(what: string, sizeBytes: number): Promise<PayloadTooLargeError | undefined> {
    if (this.source === false || sizeBytes <= ASK_FROM_BYTES) return undefined; // Z1
    const limitBytes = await this.#limit();
    return limitBytes > 0 && sizeBytes > limitBytes
      ? new PayloadTooLargeError(what, sizeBytes, limitBytes)
      : undefined;
  }

  #limit(): Promise<number> {
    if (!this.source) return Promise.resolve(DEFAULT_ERROR_BYTES);
    this.#errorBytes ??= this.source().then(
      ({ payloadsErrorBytes }) => payloadsErrorBytes || DEFAULT_ERROR_BYTES,
      () => {
        this.#errorBytes = undefined; // asked again with the next large payload
        return DEFAULT_ERROR_BYTES; // Z2
      },
    );
    return this.#errorBytes;
  }
}

/**
 * An attempt fails when what it gives is too large. It is tried again as the retry policy says, since the next one
 * may give less; a failure that took the place of another one is as final as that.
 * @param original failure that was too large: kept as the cause, without its details and its own causes
 */
export function tooLarge(error: PayloadTooLargeError, original?: Failure): ActivityExecutionResult {
  const { applicationFailureInfo, message, source, stackTrace } = original ?? {};
  return {
    failed: {
      cause: ActivityTaskFailedCause.ACTIVITY_TASK_FAILED_CAUSE_PAYLOADS_TOO_LARGE,
      failure: {
        source: 'TypeScriptSDK',
        message: error.hint === undefined ? error.message : `${error.message}; ${error.hint}`,
        applicationFailureInfo: {
          type: PAYLOADS_TOO_LARGE,
          nonRetryable: applicationFailureInfo?.nonRetryable ?? false,
          nextRetryDelay: applicationFailureInfo?.nextRetryDelay,
        },
        cause: original && {
          source,
          message: message?.slice(0, KEPT_TEXT),
          stackTrace: stackTrace?.slice(0, KEPT_TEXT),
          applicationFailureInfo: {
            type: applicationFailureInfo?.type,
            nonRetryable: applicationFailureInfo?.nonRetryable,
          },
        },
      },
    },
  };
}
