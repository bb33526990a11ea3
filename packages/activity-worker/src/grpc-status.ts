/** gRPC statuses, as far as a worker tells them apart. */
import { readProperty } from '@perdure/common/lib/type-helpers';

export const Status = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
} as const;

/** The status that a call failed with; undefined for other errors. */
export function statusOf(error: unknown): number | undefined {
  const code = readProperty(error, 'code');
  return typeof code === 'number' ? code : undefined;
}

/** Whether the server, or the way to it, refuses a message for what it is: sending it again is useless. */
export function isRefused(error: unknown): boolean {
  const status = statusOf(error);
  if (status === Status.INVALID_ARGUMENT) return true;
  const details = readProperty(error, 'details');
  return status === Status.RESOURCE_EXHAUSTED && /larger than max|too large/i.test(String(details));
}
