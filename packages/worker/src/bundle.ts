/**
 * From options to a bundle: bundles the workflows, or reads what was bundled beforehand. The bundler is loaded
 * only for the former.
 */
import { readFile } from 'node:fs/promises';
import type { Bundler, BundlerPlugin, WorkflowBundleWithSourceMap } from '@perdure/bundler';
import type { Logger } from '@perdure/common';
import { SdkComponent } from '@perdure/common';
import { packageVersion } from './connection-options';
import { InvalidOptionsError } from './options-check';
import type { CompiledWorkerOptions } from './worker-options';
import type { LoadedBundle } from './workflow-host';

/** The line a bundle may end with: its source map as a data URL. */
const INLINE_MAP = /\n\/\/# sourceMappingURL=data:application\/json;[^\n]*base64,([A-Za-z0-9+/=]+)\s*$/;

/**
 * @returns undefined if the options name no workflows
 * @throws errors of the bundler; {InvalidOptionsError} the bundle's file cannot be read
 */
export async function loadBundle(
  options: CompiledWorkerOptions,
  logger: Logger,
): Promise<LoadedBundle | undefined> {
  if (options.workflowBundle !== undefined) {
    for (const [name, given] of [
      ['workflowsPath', options.workflowsPath !== undefined],
      ['interceptors.workflowModules', options.interceptors.workflowModules.length > 0],
    ] as const) {
      if (!given) continue;
      logger.warn(`${name} is not used: the bundle was made beforehand`, {
        sdkComponent: SdkComponent.worker,
        taskQueue: options.taskQueue,
      });
    }
    return fromCode(await codeOf(options.workflowBundle));
  }
  if (options.workflowsPath === undefined) return undefined;
  return loaded(await bundlerOf(options, options.workflowsPath, logger).bundle());
}

/** A bundle with the files it depends on. */
export interface BuiltBundle extends LoadedBundle {
  /** Absolute paths. */
  readonly inputFiles: readonly string[];
}

/** A bundle that can be made again when its files have changed. */
export interface WatchedBundle {
  readonly bundle: BuiltBundle;
  /** @throws errors of the bundler */
  rebuild(): Promise<BuiltBundle>;
}

/** @throws errors of the bundler */
export async function loadWatchedBundle(
  options: CompiledWorkerOptions,
  workflowsPath: string,
  logger: Logger,
): Promise<WatchedBundle> {
  const bundler = bundlerOf(options, workflowsPath, logger);
  const rebuild = async () => {
    const bundled = await bundler.bundle();
    return { ...loaded(bundled), inputFiles: bundled.inputFiles };
  };
  return { bundle: await rebuild(), rebuild };
}

function bundlerOf(options: CompiledWorkerOptions, workflowsPath: string, logger: Logger): Bundler {
  const { Bundler: Make } = require('@perdure/bundler') as typeof import('@perdure/bundler');
  return new Make({
    workflowsPath,
    workflowInterceptorModules: [...options.interceptors.workflowModules],
    payloadConverterPath: options.dataConverter.payloadConverterPath,
    failureConverterPath: options.dataConverter.failureConverterPath,
    ignoreModules: options.bundlerOptions.ignoreModules,
    preloadModules: options.bundlerOptions.preloadModules,
    nodeModulesPaths: options.bundlerOptions.nodeModulesPaths,
    logger,
    plugins: options.plugins.filter(isBundlerPlugin),
    sourceMap: 'separate',
  });
}

function loaded(bundled: WorkflowBundleWithSourceMap): LoadedBundle {
  return {
    code: bundled.code,
    hash: bundled.hash,
    sourceMap: bundled.sourceMap,
    buildId: buildIdOf(bundled.hash),
  };
}

async function codeOf(bundle: NonNullable<CompiledWorkerOptions['workflowBundle']>): Promise<string> {
  if ('code' in bundle) return bundle.code;
  try {
    return await readFile(bundle.codePath, 'utf8');
  } catch (error) {
    throw new InvalidOptionsError('WorkerOptions', [
      { field: 'workflowBundle.codePath', problem: `cannot be read: ${(error as Error).message}` },
    ]);
  }
}

function fromCode(code: string): LoadedBundle {
  const map = INLINE_MAP.exec(code);
  const { createHash } = require('node:crypto') as typeof import('node:crypto');
  const hash = createHash('sha256').update(code).digest('hex');
  return {
    code: map === null ? code : code.slice(0, map.index),
    hash,
    ...(map !== null && { sourceMap: Buffer.from(map[1]!, 'base64').toString() }),
    buildId: buildIdOf(hash),
  };
}

function buildIdOf(hash: string): string {
  return `perdure@${packageVersion()}+${hash.slice(0, 16)}`;
}

function isBundlerPlugin(plugin: object): plugin is BundlerPlugin {
  return 'configureBundler' in plugin;
}
