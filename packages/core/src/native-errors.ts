/** The addon with its plain errors turned into CoreError, for everybody but lane threads. */
import { toCoreError } from './errors';
import { loadAddon } from './load';
import type { Native } from './native';

let wrapped: Native | undefined;

/**
 * The native addon. Its functions throw and reject with {@link CoreError}.
 * @throws {CoreError} CORE_ADDON_MISSING: no addon can be loaded; CORE_ADDON_MISMATCH: it belongs to another version
 */
export function loadNative(): Native {
  wrapped ??= wrap(loadAddon());
  return wrapped;
}

function wrap(addon: Native): Native {
  const native: Record<string, unknown> = {};
  for (const [name, call] of Object.entries(addon) as [string, (...args: unknown[]) => unknown][]) {
    native[name] = (...args: unknown[]) => {
      try {
        const result = call(...args);
        return result instanceof Promise ? result.catch(rethrow) : result;
      } catch (error) {
        throw toCoreError(error);
      }
    };
  }
  return native as unknown as Native;
}

function rethrow(error: unknown): never {
  throw toCoreError(error);
}
