/** Loads the converters that a DataConverter names by path. */
import type { DataConverter, FailureConverter, LoadedDataConverter, PayloadConverter } from '@perdure/common';
import { defaultDataConverter, ValueError } from '@perdure/common';

/** @throws {ValueError} a module cannot be loaded or has no fitting export */
export function loadConverters({
  payloadConverterPath,
  failureConverterPath,
  payloadCodecs = [],
  externalStorage,
}: DataConverter): LoadedDataConverter {
  return {
    payloadConverter: payloadConverterPath
      ? load<PayloadConverter>(payloadConverterPath, 'payloadConverter', ['toPayload', 'fromPayload'])
      : defaultDataConverter.payloadConverter,
    failureConverter: failureConverterPath
      ? load<FailureConverter>(failureConverterPath, 'failureConverter', ['errorToFailure', 'failureToError'])
      : defaultDataConverter.failureConverter,
    payloadCodecs,
    ...(externalStorage !== undefined && { externalStorage }),
  };
}

function load<T>(path: string, name: string, methods: readonly string[]): T {
  let module: Record<string, unknown>;
  try {
    module = require(path);
  } catch (error) {
    throw new ValueError(`dataConverter.${name}Path: the module ${path} cannot be loaded: ${error}`, error);
  }
  const converter = module[name] as Record<string, unknown> | undefined;
  if (
    typeof converter !== 'object' ||
    converter === null ||
    methods.some((method) => typeof converter[method] !== 'function')
  ) {
    throw new ValueError(
      `dataConverter.${name}Path: the module ${path} has to export ${name}, an object with ${methods.join(' and ')}`,
    );
  }
  return converter as T;
}
