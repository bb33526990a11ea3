/** Authoring of activities: `Context` and the functions of the current one. */
export {
  type ActivityDefinitionOptions,
  type ActivityFunction,
  type ActivityInterface,
  type ActivityTypeInfoMap,
  ApplicationFailure,
  CancelledFailure,
  CompleteAsyncError,
  type UntypedActivities,
} from '@perdure/common';
export {
  type ActivityCancellationDetailsHolder,
  activityInfo,
  asyncLocalStorage,
  Context,
  cancellationDetails,
  cancellationSignal,
  cancelled,
  getClient,
  heartbeat,
  log,
  metricMeter,
  sleep,
} from './context';
export type { ContextClient, ContextTypes } from './context-types';
export { setActivityOptions } from './definition';
export type { Info } from './info';
