/** A worker for activities alone, in pure TypeScript. */
export { ActivityWorker, type ActivityWorkerOptions } from './activity-worker';
export type { ActivityWorkerStatus } from './base-worker';
export {
  ActivityWorkerFailedError,
  ActivityWorkerOptionsError,
  GracefulShutdownPeriodExpiredError,
} from './errors';
export type { CommonActivityWorkerOptions } from './options';
export type { State } from './state';
