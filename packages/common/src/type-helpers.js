/**
 * Type-level helpers, and what makes `instanceof` hold for this SDK's errors across realms and duplicate installs.
 *
 * T1  A branded class recognises every object whose prototype carries its symbol; a subclass that is not branded
 *     itself keeps the language's rule.
 * T2  Nothing here lets an exception of a hostile object (throwing getters, revoked proxies) escape.
 */
Object.defineProperty(exports, '__esModule', { value: true });
exports.checkExtends = checkExtends;
exports.isRecord = isRecord;
exports.hasOwnProperty = hasOwnProperty;
exports.hasOwnProperties = hasOwnProperties;
exports.readProperty = readProperty;
exports.isError = isError;
exports.isAbortError = isAbortError;
exports.errorMessage = errorMessage;
exports.errorCode = errorCode;
exports.assertNever = assertNever;
exports.brandError = brandError;
exports.SymbolBasedInstanceOfError = SymbolBasedInstanceOfError;
/** Keeps `value` of type `T` while checking it at compile time. */
function checkExtends() {
  // only types are checked
}
/** A plain or class-made object that is not null; functions do not count. */
function isRecord(value) {
  return typeof value === 'object' && value !== null;
}
/** Whether `prop` is reachable on `record`. */
function hasOwnProperty(record, prop) {
  return prop in record;
}
function hasOwnProperties(record, props) {
  return props.every((prop) => prop in record);
}
/** Reads a property of anything; what throws reads as undefined (T2). */
function readProperty(value, key) {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return undefined;
  try {
    return value[key];
  } catch {
    return undefined;
  }
}
/** Like `value instanceof Error`, also for errors of other realms. */
function isError(value) {
  if (typeof value !== 'object' || value === null) return false;
  try {
    if (value instanceof Error) return true;
    // Errors of another realm: an error object says so itself, whoever made it.
    if (Object.prototype.toString.call(value) === '[object Error]') return true;
    return typeof value.name === 'string' && typeof value.message === 'string';
  } catch {
    return false;
  }
}
/** Whether `value` is the error of an aborted AbortSignal. */
function isAbortError(value) {
  return isError(value) && readProperty(value, 'name') === 'AbortError';
}
/** The message of an error-like value, undefined when it has none. */
function errorMessage(error) {
  if (typeof error === 'string') return error;
  const message = readProperty(error, 'message');
  return typeof message === 'string' ? message : undefined;
}
/** The string `code` of an error-like value, undefined when it has none. */
function errorCode(error) {
  const code = readProperty(error, 'code');
  return typeof code === 'string' ? code : undefined;
}
/** Throws when a value that the types exclude arrives after all. */
function assertNever(message, value) {
  throw new TypeError(`${message}: ${String(value)}`);
}
/**
 * Brands an error class (T1), and gives it its `name` and, when given, its `code` for all instances.
 * @param marker name of the class; duplicates of it, in other realms or installs, agree on this name
 */
function brandError(cls, marker, code) {
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
    value(candidate) {
      if (this !== cls) return ordinary.call(this, candidate);
      return readProperty(candidate, brand) === true;
    },
  });
}
/** Class decorator form of `brandError`, for error classes of users and of other packages. */
function SymbolBasedInstanceOfError(markerName) {
  return (cls) => brandError(cls, markerName);
}
