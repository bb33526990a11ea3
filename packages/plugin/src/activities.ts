/**
 * Two sets of activities in one.
 *
 * Plain objects merge by field. Class instances and Maps have their functions elsewhere: those are gathered,
 * bound to where they came from, into a Map, which workers take too.
 */

/** @param given  wins where both have a name */
export function mergeActivities(existing: object, given: object): object {
  if (isPlain(existing) && isPlain(given)) return { ...existing, ...given };
  return new Map([...functionsOf(existing), ...functionsOf(given)]);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Nearest first: what a class overrides is its own. */
function functionsOf(source: object): Map<string, unknown> {
  if (source instanceof Map) return source;
  const found = new Map<string, unknown>();
  for (let level: object | null = source; level !== null && level !== Object.prototype; ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (found.has(name) || (level !== source && name === 'constructor')) continue;
      const value = (source as Record<string, unknown>)[name];
      if (typeof value === 'function') found.set(name, bound(value, source));
    }
    level = Object.getPrototypeOf(level);
    if (level === Function.prototype) break; // a class as such: its static methods
  }
  return found;
}

/** Options that were set on a function stay with it. */
function bound(fn: Function, target: object): unknown {
  const { length: _, name: __, prototype: ___, ...own } = Object.getOwnPropertyDescriptors(fn) as any;
  return Object.defineProperties(fn.bind(target), own);
}
