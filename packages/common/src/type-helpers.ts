/**
 * Type-level helpers, and what makes `instanceof` hold for this SDK's errors across realms and duplicate installs.
 *
 * T1  A branded class recognises every object whose prototype carries its symbol; a subclass that is not branded
 *     itself keeps the language's rule.
 * T2  Nothing here lets an exception of a hostile object (throwing getters, revoked proxies) escape.
 */

export type AnyFunc = (...args: any[]) => any;

/** A tuple without its last element. */
export type OmitLast<T> = T extends [...infer REST, any] ? REST : never;

/** `F` without its first parameter. */
export type OmitFirstParam<T> = T extends (...args: any[]) => any
  ? (...args: OmitFirst<Parameters<T>>) => ReturnType<T>
  : never;

export type OmitFirst<T> = T extends [any, ...infer REST] ? REST : never;

/** `F` without its last parameter. */
export type OmitLastParam<F extends (...args: any) => any> = (
  ...args: OmitLast<Parameters<F>>
) => ReturnType<F>;

/** Keys of `T` that may be left out. */
export type RequireAtLeastOne<Base, Keys extends keyof Base = keyof Base> = Omit<Base, Keys> &
  { [K in Keys]-?: Required<Pick<Base, K>> & Partial<Pick<Base, Exclude<Keys, K>>> }[Keys];

/** True when both types are the same. */
export type IsEqual<A, B> =
  (<G>() => G extends A ? 1 : 2) extends <G>() => G extends B ? 1 : 2 ? true : false;

export type Mutable<T> = { -readonly [P in keyof T]: T[P] };

/** Keeps `value` of type `T` while checking it at compile time. */
export function checkExtends<_Orig, _Copy extends _Orig>(): void {
  // only types are checked
}

/** A plain or class-made object that is not null; functions do not count. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Whether `prop` is reachable on `record`. */
export function hasOwnProperty<X extends Record<string, unknown>, Y extends PropertyKey>(
  record: X,
  prop: Y,
): record is X & Record<Y, unknown> {
  return prop in record;
}

export function hasOwnProperties<X extends Record<string, unknown>, Y extends PropertyKey>(
  record: X,
  props: Y[],
): record is X & Record<Y, unknown> {
  return props.every((prop) => prop in record);
}

/** Reads a property of anything; what throws reads as undefined (T2). */
export function readProperty(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Like `value instanceof Error`, also for errors of other realms. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  try {
    if (value instanceof Error) return true;
    // Errors of another realm: an error object says so itself, whoever made it.
    if (Object.prototype.toString.call(value) === '[object Error]') return true;
    return typeof (value as Error).name === 'string' && typeof (value as Error).message === 'string';
  } catch {
    return false;
  }
}

/** Whether `value` is the error of an aborted AbortSignal. */
export function isAbortError(value: unknown): value is Error & { name: 'AbortError' } {
  return isError(value) && readProperty(value, 'name') === 'AbortError';
}

/** The message of an error-like value, undefined when it has none. */
export function errorMessage(error: unknown): string | undefined {
  if (typeof error === 'string') return error;
  const message = readProperty(error, 'message');
  return typeof message === 'string' ? message : undefined;
}

/** The string `code` of an error-like value, undefined when it has none. */
export function errorCode(error: unknown): string | undefined {
  const code = readProperty(error, 'code');
  return typeof code === 'string' ? code : undefined;
}

/** Throws when a value that the types exclude arrives after all. */
export function assertNever(message: string, value: never): never {
  throw new TypeError(`${message}: ${String(value)}`);
}

type ErrorClass = { readonly prototype: Error };

/**
 * Brands an error class (T1), and gives it its `name` and, when given, its `code` for all instances.
 * @param marker name of the class; duplicates of it, in other realms or installs, agree on this name
 */
export function brandError(cls: ErrorClass, marker: string, code?: string): void {
  const brand = Symbol.for(`__temporal_is${marker}`);
  const prototype = cls.prototype;
  Object.defineProperty(prototype, 'name', { value: marker, configurable: true, writable: true });
  Object.defineProperty(prototype, brand, { value: true });
  if (code !== undefined) {
    Object.defineProperty(prototype, 'code', { value: code, configurable: true, writable: true });
  }
  const ordinary = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(cls, Symbol.hasInstance, {
    configurable: true,
    value(this: unknown, candidate: unknown): boolean {
      if (this !== cls) return ordinary.call(this as Function, candidate);
      return readProperty(candidate, brand) === true;
    },
  });
}

/** Class decorator form of `brandError`, for error classes of users and of other packages. */
export function SymbolBasedInstanceOfError<E extends Error>(
  markerName: string,
): (cls: { new (...args: any[]): E; readonly prototype: E }) => void {
  return (cls) => brandError(cls, markerName);
}
