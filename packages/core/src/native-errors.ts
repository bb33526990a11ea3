/** The addon with its plain errors turned into CoreError, for everybody but lane threads. */
import { toCoreError } from './errors';
import { guarded, loadAddon } from './load';
import type { BatchListener, Native } from './native';

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
        const result = call(...args.map(guardListener));
        return isPromise(result) ? result.then(undefined, rethrow) : result;
      } catch (error) {
        throw toCoreError(error);
      }
    };
  }
  return native as unknown as Native;
}

function guardListener(argument: unknown): unknown {
  return typeof argument === 'function' ? guarded(argument as BatchListener) : argument;
}

/** Promises of the addon may come from another realm. */
function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as Promise<unknown> | undefined)?.then === 'function';
}

function rethrow(error: unknown): never {
  throw toCoreError(error);
}
