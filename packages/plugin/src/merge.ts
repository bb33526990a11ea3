/**
 * How what a plugin brings is merged into options that are there.
 *
 * M1  Options that are given are never changed in place; another user of the same object sees no difference.
 * M2  A function decides alone: it gets what is there and gives what is to be.
 */

/** A value, or a function from what is there to what is to be. */
export type PluginParameter<T> = T | ((existing: T | undefined) => T);

/** What is there is replaced. */
export function replaced<T>(
  existing: T | undefined,
  parameter: PluginParameter<T> | undefined,
): T | undefined {
  return merged(existing, parameter, (_, given) => given);
}

/** What is there comes first. */
export function appended<T>(
  existing: T[] | undefined,
  parameter: PluginParameter<T[]> | undefined,
): T[] | undefined {
  return merged(existing, parameter, (before, given) => [...before, ...given]);
}

/** Fields of the parameter win. */
export function overridden<T extends object>(
  existing: T | undefined,
  parameter: PluginParameter<T> | undefined,
): T | undefined {
  return merged(existing, parameter, (before, given) => ({ ...before, ...given }));
}

/** @param merge called when both are there, and the parameter is no function */
export function merged<T>(
  existing: T | undefined,
  parameter: PluginParameter<T> | undefined,
  merge: (existing: T, given: T) => T,
): T | undefined {
  if (parameter === undefined) return existing;
  if (typeof parameter === 'function') return (parameter as (existing: T | undefined) => T)(existing); // M2
  return existing === undefined || existing === null ? parameter : merge(existing, parameter);
}

/** The object without its absent members: an option that is absent is not the same as one set to undefined. */
export function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}
