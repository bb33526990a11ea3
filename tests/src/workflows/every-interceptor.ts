/** Interceptors of every method: each leaves a header or a mark, and a call of a sink that says it was there. */
import {
  defaultPayloadConverter,
  proxySinks,
  type Sinks,
  type WorkflowInterceptors,
} from '@perdure/workflow';

interface Noted extends Sinks {
  noted: { call(method: string): void };
}
const { noted } = proxySinks<Noted>();
const mark = (by: string) => ({ mark: defaultPayloadConverter.toPayload(by)! });

/** Notes the call and goes on; `headers` are added where the input has some. */
const note =
  (method: string) =>
  (input: any, next: any): any => {
    noted.call(method);
    return next('headers' in input ? { ...input, headers: { ...input.headers, ...mark(method) } } : input);
  };

export const interceptors = (): WorkflowInterceptors => ({
  inbound: [
    {
      execute: note('execute'),
      handleSignal: note('handleSignal'),
      handleQuery: note('handleQuery'),
      handleUpdate: note('handleUpdate'),
      validateUpdate: note('validateUpdate'),
    },
  ],
  outbound: [
    {
      startTimer: note('startTimer'),
      scheduleActivity: note('scheduleActivity'),
      scheduleLocalActivity: note('scheduleLocalActivity'),
      startChildWorkflowExecution: note('startChildWorkflowExecution'),
      signalWorkflow: note('signalWorkflow'),
      continueAsNew: note('continueAsNew'),
      getLogAttributes: (input, next) => next({ ...input, extra: 'field' }),
      getMetricTags: (input, next) => next({ ...input, extra: 'tag' }),
    },
  ],
  internals: [
    {
      activate(input, next) {
        noted.call('activate');
        next(input);
      },
      concludeActivation(input, next) {
        noted.call('concludeActivation');
        return next(input);
      },
    },
  ],
});
