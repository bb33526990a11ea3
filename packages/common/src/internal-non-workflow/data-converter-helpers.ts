/** Loads the parts of a data converter that are given by path. */
import {
  type DataConverter,
  defaultDataConverter,
  type LoadedDataConverter,
} from '../converter/data-converter';
import type { FailureConverter } from '../converter/failure-converter';
import type { PayloadConverter } from '../converter/payload-converter';
import { PayloadConverterError } from '../errors';
import { readProperty } from '../type-helpers';

declare const require: (path: string) => unknown;

/** The export `name` of the module at `path`, which must have these methods. */
function loadExport<T>(path: string, name: string, methods: readonly string[]): T {
  const option = `dataConverter.${name}Path`;
  let module: unknown;
  try {
    module = require(path);
  } catch (cause) {
    const reason = readProperty(cause, 'message');
    throw new PayloadConverterError(
      `${option}: the module '${path}' cannot be loaded: ${String(reason)}`,
      cause,
      'give an absolute path, for example with require.resolve',
    );
  }
  const exported = readProperty(module, name) ?? readProperty(readProperty(module, 'default'), name);
  if (exported === undefined) {
    throw new PayloadConverterError(`${option}: the module '${path}' exports no '${name}'`);
  }
  for (const method of methods) {
    if (typeof readProperty(exported, method) !== 'function') {
      throw new PayloadConverterError(
        `${option}: '${name}' of the module '${path}' has no method '${method}'`,
        undefined,
        'export an instance, not the class',
      );
    }
  }
  return exported as T;
}

/** Whether this is the loaded form already. */
export function isLoadedDataConverter(
  converter: DataConverter | LoadedDataConverter | undefined,
): converter is LoadedDataConverter {
  return (
    converter !== undefined &&
    'payloadConverter' in converter &&
    'failureConverter' in converter &&
    Array.isArray(converter.payloadCodecs)
  );
}

/**
 * The data converter with its parts loaded; defaults where nothing is given.
 * @throws {PayloadConverterError} a module cannot be loaded, or does not export what it should
 */
export function loadDataConverter(dataConverter?: DataConverter): LoadedDataConverter {
  const { payloadConverterPath, failureConverterPath, payloadCodecs, externalStorage } = dataConverter ?? {};
  return {
    payloadConverter:
      payloadConverterPath === undefined
        ? defaultDataConverter.payloadConverter
        : loadExport<PayloadConverter>(payloadConverterPath, 'payloadConverter', [
            'toPayload',
            'fromPayload',
          ]),
    failureConverter:
      failureConverterPath === undefined
        ? defaultDataConverter.failureConverter
        : loadExport<FailureConverter>(failureConverterPath, 'failureConverter', [
            'errorToFailure',
            'failureToError',
          ]),
    payloadCodecs: payloadCodecs ?? [],
    ...(externalStorage !== undefined && { externalStorage }),
  };
}
