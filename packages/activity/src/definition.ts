/** Options that are attached to activity functions themselves. */
import type { ActivityDefinitionOptions, ActivityFunction } from '@perdure/common';
import { isActivityFunctionWithOptions } from '@perdure/common';

/** Attaches static options, such as how arguments and result are converted, to an activity function. */
export function setActivityOptions<Args extends any[], ReturnType>(
  options: ActivityDefinitionOptions,
  fn: ActivityFunction<Args, ReturnType>,
): void {
  Object.assign(fn, { activityDefinitionOptions: options });
}

/** Options that `setActivityOptions` has attached. */
export function activityOptionsOf(fn: unknown): ActivityDefinitionOptions | undefined {
  return isActivityFunctionWithOptions(fn) ? fn.activityDefinitionOptions : undefined;
}
