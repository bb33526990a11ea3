/** Where the exports of this package differ from the official one, each with its reason. */

/** Runtime exports that the official package lacks. */
export const ADDITIONAL_VALUES: Readonly<Record<string, string>> = {
  PerdureError: 'base of this SDK’s errors, which carry a code and a hint',
  InvalidDurationError: 'names the option whose duration cannot be read',
  PayloadTooLargeError: 'names the field, its size and the limit before the server refuses it',
  hasCode: 'how callers tell errors apart across realms and duplicate installs',
  composeInterceptors: 'officially only at lib/interceptors; packages of this SDK meet at the index',
  isReservedName: 'shared by workflow, activity and worker',
  throwIfReservedName: 'shared by workflow, activity and worker',
  encodeSuggestContinueAsNewReason: 'used by the workflow package',
  decodeSuggestContinueAsNewReason: 'used by the workflow package',
};

/** Official runtime exports that are not offered. */
export const MISSING_VALUES: Readonly<Record<string, string>> = {};

/** Official types that are not offered. */
export const MISSING_TYPES: Readonly<Record<string, string>> = {};
