/** Reads the bytes of a ConfigDataSource. */
import { readFileSync } from 'node:fs';
import { ClientConfigError, type ConfigPlace } from './errors';
import type { ConfigDataSource } from './types';

/**
 * @returns undefined for no source
 * @throws {ClientConfigError} the file cannot be read
 */
export function loadConfigData(source?: ConfigDataSource): Uint8Array | undefined {
  return readSource(source, {});
}

/** As `loadConfigData`; errors name the place. */
export function readSource(source: ConfigDataSource | undefined, place: ConfigPlace): Uint8Array | undefined {
  if (source === undefined) return undefined;
  if ('path' in source) return readFile(source.path, place);
  return typeof source.data === 'string' ? new TextEncoder().encode(source.data) : source.data;
}

function readFile(path: string, place: ConfigPlace): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw unreadable(path, place, cause);
  }
}

/** @returns undefined if there is no such file @throws {ClientConfigError} there is one, but it cannot be read */
export function readFileIfThere(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(path, { file: path }, cause);
  }
}

function unreadable(path: string, place: ConfigPlace, cause: unknown): ClientConfigError {
  return new ClientConfigError(
    'ENVCONFIG_FILE_UNREADABLE',
    `${path} cannot be read: ${(cause as Error).message}`,
    place,
    { cause, hint: 'check that the path is right and that this process may read the file' },
  );
}
