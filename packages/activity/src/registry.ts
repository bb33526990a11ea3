/**
 * The activity functions of a worker by name.
 *
 * G1  A lookup never walks a prototype chain: `__proto__` and `constructor` are names like any other, and are
 *     found only if somebody registered them.
 */
import { ApplicationFailure, throwIfReservedName } from '@perdure/common';

/** Any callable: what it returns is awaited. */
export type AnyActivityFunction = (...args: any[]) => unknown;

/** What a worker takes as `activities`. */
export type ActivitySource = object | ReadonlyMap<string, AnyActivityFunction>;

/** Name under which a function catches all types that have no function of their own. */
export const DEFAULT_ACTIVITY = 'default';

/**
 * Collects the functions of a plain object, a class instance (methods of its class and of its base classes) or
 * a Map, each bound to where it came from.
 * @throws {TypeError} a value of a Map is not a function
 * @throws {ValueError} a name is reserved
 */
export function collectActivities(source: ActivitySource | undefined): Map<string, AnyActivityFunction> {
  const found = new Map<string, AnyActivityFunction>();
  if (source === undefined) return found;
  if (source instanceof Map) {
    for (const [name, fn] of source as ReadonlyMap<unknown, unknown>) {
      if (typeof name !== 'string' || typeof fn !== 'function') {
        throw new TypeError(
          `activities: the entry ${String(name)} of the Map is not a function under a text name`,
        );
      }
      add(found, name, fn as AnyActivityFunction, undefined);
    }
    return found;
  }
  for (let level: object | null = source; level !== null && level !== Object.prototype; ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (found.has(name) || (level !== source && name === 'constructor')) continue;
      const fn = readFunction(level, name, source);
      if (fn !== undefined) add(found, name, fn, source);
    }
    level = Object.getPrototypeOf(level);
    if (level === Function.prototype) break; // a class given as such: its static methods only
  }
  return found;
}

/** A getter that throws, or gives no function, names no activity. */
function readFunction(level: object, name: string, source: object): AnyActivityFunction | undefined {
  try {
    const property = Object.getOwnPropertyDescriptor(level, name);
    const value = property?.get === undefined ? property?.value : property.get.call(source);
    return typeof value === 'function' ? value : undefined;
  } catch {
    return undefined;
  }
}

function add(
  found: Map<string, AnyActivityFunction>,
  name: string,
  fn: AnyActivityFunction,
  target: object | undefined,
): void {
  throwIfReservedName('activity', name);
  found.set(name, target === undefined ? fn : bindKeepingOptions(fn, target));
}

/** A bound function has none of the properties of the one it binds; options set on it have to come along. */
function bindKeepingOptions(fn: AnyActivityFunction, target: object): AnyActivityFunction {
  const bound = fn.bind(target);
  for (const key of Reflect.ownKeys(fn)) {
    if (key === 'length' || key === 'name' || key === 'prototype') continue;
    const property = Object.getOwnPropertyDescriptor(fn, key);
    if (property !== undefined) Object.defineProperty(bound, key, property);
  }
  return bound;
}

/**
 * The function for `name`.
 * @throws {ApplicationFailure} of type NotFoundError, retryable: another worker may have it
 */
export function findActivity(
  registered: ReadonlyMap<string, AnyActivityFunction>,
  name: string,
): AnyActivityFunction {
  const fn = registered.get(name) ?? registered.get(DEFAULT_ACTIVITY);
  if (fn === undefined) {
    const known = [...registered.keys()].sort();
    throw ApplicationFailure.create({
      type: 'NotFoundError',
      message:
        `Activity function ${name} is not registered on this Worker, ` +
        `available activities: ${JSON.stringify(known)}`,
      nonRetryable: false,
    });
  }
  return fn;
}
