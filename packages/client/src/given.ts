/**
 * Holds what callers give against what the types say: JavaScript callers have no compiler, and the server would name its
 * own fields, or nothing.
 *
 * Owns    the checks and their texts.
 * V1  Every problem is a ValueError that names the field and says what it takes.
 * V2  null is as good as leaving an option out, except for the arguments of a start: there it is a forgotten list.
 */
import { ValueError } from '@perdure/common';

type HandlerKind = 'signal' | 'query' | 'update';

/** A handler by name, or by its definition. */
type Handler<I> = string | { readonly name: string; readonly typeInfo?: I };

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (value === '') return 'an empty string';
  return Array.isArray(value) ? 'an array' : typeof value;
}

/**
 * Name and type info of a signal, a query or an update.
 * @throws {ValueError} neither a name nor a definition
 */
export function handlerOf<I>(
  kind: HandlerKind,
  given: Handler<I>,
): { readonly name: string; readonly typeInfo: I | undefined } {
  if (isText(given)) return { name: given, typeInfo: undefined };
  // Definitions may be of another copy of the package: what they have decides.
  if (isObject(given) && isText(given.name))
    return { name: given.name, typeInfo: given.typeInfo as I | undefined };
  throw new ValueError(`Invalid ${kind}: expected a name or a definition, got ${kindOf(given)}`);
}

/**
 * A copy of a list of arguments; an empty one for none.
 * @param field  names it for the message
 * @throws {ValueError} no list
 */
export function argumentsOf(field: string, given: unknown): unknown[] {
  if (isAbsent(given)) return [];
  if (!Array.isArray(given))
    throw new ValueError(`Invalid ${field}: expected an array, got ${kindOf(given)}`);
  return [...given];
}

/** @throws {ValueError} no name */
export function checkNamespace(given: unknown): void {
  if (!isText(given)) throw new ValueError('Invalid namespace: it must be a string that is not empty');
}

/** @throws {ValueError} no id */
export function checkWorkflowId(given: unknown): void {
  if (!isText(given)) throw new ValueError('Invalid workflow id: it must be a string that is not empty');
}

/** @throws {ValueError} no id of an activity */
export function checkFullActivityId(given: unknown): void {
  if (!isObject(given) || !isText(given.activityId)) {
    throw new ValueError('Invalid activity: expected a task token (bytes), or an object with its activityId');
  }
}

/**
 * The options of a call that needs some.
 * @throws {ValueError} none were given
 */
export function checkOptions(given: unknown, needs: string): void {
  if (!isObject(given)) throw new ValueError(`Invalid options: expected an object with ${needs}`);
}

/** What is wrong with the options of a start, field by field; durations and policies tell by themselves. */
export function problemsOfStart(options: Readonly<Record<string, unknown>>): string[] {
  const problems: string[] = [];
  for (const field of ['workflowId', 'taskQueue']) {
    if (!isText(options[field])) problems.push(`${field} must be a string that is not empty`);
  }
  const { args, cronSchedule, startDelay, searchAttributes, typedSearchAttributes, versioningOverride } =
    options;
  if (args !== undefined && !Array.isArray(args)) problems.push('args must be an array');
  for (const field of ['memo', 'retry', 'priority', 'searchAttributes']) {
    if (!isAbsent(options[field]) && !isObject(options[field])) problems.push(`${field} must be an object`);
  }
  for (const field of ['cronSchedule', 'staticSummary', 'staticDetails']) {
    if (!isAbsent(options[field]) && typeof options[field] !== 'string')
      problems.push(`${field} must be a string`);
  }
  if (isObject(searchAttributes)) {
    for (const [name, values] of Object.entries(searchAttributes)) {
      if (!isAbsent(values) && !Array.isArray(values))
        problems.push(`searchAttributes.${name} must be an array`);
    }
  }
  if (!isAbsent(typedSearchAttributes) && !isListOfPairs(typedSearchAttributes)) {
    problems.push(
      'typedSearchAttributes must be TypedSearchAttributes, or an array of pairs of key and value',
    );
  }
  if (!isAbsent(versioningOverride) && !isVersioningOverride(versioningOverride)) {
    problems.push("versioningOverride must be 'AUTO_UPGRADE' or { pinnedTo: { deploymentName, buildId } }");
  }
  if (cronSchedule && !isAbsent(startDelay)) problems.push('startDelay cannot be combined with cronSchedule');
  return problems;
}

function isListOfPairs(given: unknown): boolean {
  if (Array.isArray(given)) return given.every((pair) => isObject(pair) && isObject(pair.key));
  return isObject(given) && typeof given.getAll === 'function';
}

function isVersioningOverride(given: unknown): boolean {
  if (given === 'AUTO_UPGRADE') return true;
  if (!isObject(given) || !isObject(given.pinnedTo)) return false;
  return isText(given.pinnedTo.deploymentName) && isText(given.pinnedTo.buildId);
}
