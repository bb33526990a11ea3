/** Names that belong to the SDK. */
import { ValueError } from './errors';

export const TEMPORAL_RESERVED_PREFIX = '__temporal_';
export const STACK_TRACE_QUERY_NAME = '__stack_trace';
export const ENHANCED_STACK_TRACE_QUERY_NAME = '__enhanced_stack_trace';
export const WORKFLOW_METADATA_QUERY_NAME = '__temporal_workflow_metadata';

const reservedNames: readonly string[] = [STACK_TRACE_QUERY_NAME, ENHANCED_STACK_TRACE_QUERY_NAME];

/** Names with the prefix that packages of the Temporal family register through the public API. */
const allowed = [
  (name: string) => name.startsWith('__temporal_workflow_stream_'),
  (name: string) => name === '__temporal_openai_agents_tracing',
  (name: string) => name === '__temporal_langsmith',
];

/** What carries the name, for the error message. */
export type ReservableKind = 'activity' | 'workflow' | 'signal' | 'query' | 'update' | 'sink' | 'task queue';

/** Whether the SDK keeps this name for itself. */
export function isReservedName(name: string): boolean {
  if (reservedNames.includes(name)) return true;
  return name.startsWith(TEMPORAL_RESERVED_PREFIX) && !allowed.some((allows) => allows(name));
}

/** Whether messages of this name are between SDKs: users' interceptors do not see them. */
export function isInternalName(name: string): boolean {
  return name.startsWith(TEMPORAL_RESERVED_PREFIX);
}

/** @throws {ValueError} the name is reserved */
export function throwIfReservedName(kind: ReservableKind | (string & {}), name: string): void {
  if (!isReservedName(name)) return;
  throw new ValueError(
    name.startsWith(TEMPORAL_RESERVED_PREFIX)
      ? `Cannot use ${kind} name: '${name}', with reserved prefix: '${TEMPORAL_RESERVED_PREFIX}'`
      : `Cannot use ${kind} name: '${name}', which is a reserved name`,
    undefined,
    'choose another name',
  );
}
