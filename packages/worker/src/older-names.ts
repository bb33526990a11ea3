/** Names that programs written for older versions still use. Each says what to write instead. */
import type { Context, Info } from '@perdure/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor } from '@perdure/activity/runner';
import type { Logger, LogMetadata, Next } from '@perdure/common';
import { IllegalStateError, SdkComponent } from '@perdure/common';
import { ShutdownError, TransportError, UnexpectedError } from '@perdure/core';
import { GracefulShutdownPeriodExpiredError } from './errors';
import { Runtime } from './runtime';
import type { WorkerInterceptors } from './worker-options';

/** @deprecated use {@link ActivityInterceptorsFactory} */
export type ActivityInboundCallsInterceptorFactory = (ctx: Context) => ActivityInboundCallsInterceptor;

/** @deprecated import the classes */
export const errors = {
  IllegalStateError,
  ShutdownError,
  TransportError,
  UnexpectedError,
  GracefulShutdownPeriodExpiredError,
};

/** @deprecated nothing has to be named in `workflowInterceptorModules` any more */
export const defaultWorkflowInterceptorModules: never[] = [];

/** Fields of an activity's log lines. @deprecated an interceptor's `outbound.getLogAttributes` gets them */
export function activityLogAttributes(info: Info): Record<string, unknown> {
  return {
    isLocal: info.isLocal,
    attempt: info.attempt,
    namespace: info.namespace,
    taskToken: info.base64TaskToken,
    activityId: info.activityId,
    activityType: info.activityType,
    taskQueue: info.taskQueue,
    workflowId: info.workflowExecution?.workflowId,
    workflowRunId: info.workflowExecution?.runId,
    workflowType: info.workflowType,
  };
}

/**
 * Once logged the life of activities, which the SDK does by itself. With a logger of its own, or a subclass with other
 * `logAttributes`, it still decides where the lines of `Context.log` go and what they carry.
 * @deprecated give a logger to `Runtime.install`; change attributes in an interceptor's `outbound.getLogAttributes`
 */
export class ActivityInboundLogInterceptor implements ActivityInboundCallsInterceptor {
  protected readonly logger: Logger;

  constructor(
    protected readonly ctx: Context,
    logger: Logger = Runtime.instance().logger,
  ) {
    this.logger = logger;
    const isPlain = Object.getPrototypeOf(this) === ActivityInboundLogInterceptor.prototype;
    if (isPlain && logger === Runtime.instance().logger) return;
    (ctx as { log: Logger }).log = this.#log();
  }

  protected logAttributes(): Record<string, unknown> {
    return activityLogAttributes(this.ctx.info);
  }

  execute(
    input: ActivityExecuteInput,
    next: Next<ActivityInboundCallsInterceptor, 'execute'>,
  ): Promise<unknown> {
    return next(input);
  }

  #log(): Logger {
    const meta = (own?: LogMetadata): LogMetadata => ({
      sdkComponent: SdkComponent.activity,
      ...this.logAttributes(),
      ...own,
    });
    const { logger } = this;
    return {
      log: (level, message, own) => logger.log(level, message, meta(own)),
      trace: (message, own) => logger.trace(message, meta(own)),
      debug: (message, own) => logger.debug(message, meta(own)),
      info: (message, own) => logger.info(message, meta(own)),
      warn: (message, own) => logger.warn(message, meta(own)),
      error: (message, own) => logger.error(message, meta(own)),
    };
  }
}

/**
 * Interceptors whose activities log to `logger`.
 * @deprecated give the logger to `Runtime.install`
 */
export function appendDefaultInterceptors(
  interceptors: WorkerInterceptors,
  logger?: Logger,
): WorkerInterceptors {
  if (logger === undefined || logger === Runtime.instance().logger) return interceptors;
  return {
    ...interceptors,
    activityInbound: [
      (ctx: Context) => new ActivityInboundLogInterceptor(ctx, logger),
      ...(interceptors.activityInbound ?? []),
    ],
  };
}
