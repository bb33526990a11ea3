/**
 * What the caller may ask for, checked and completed in one place.
 *
 * O1  Everything wrong with the options is in one error.
 */
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from './logger';

/** Changes the options of a bundle; the order of plugins is the order of changes. */
export interface BundlerPlugin {
  /** Shown in messages. */
  get name(): string;
  configureBundler?(options: BundleOptions): BundleOptions;
}

/** Where and whether finished bundles are kept. */
export interface BundleCacheOptions {
  /** Default: `perdure/bundles` in `$XDG_CACHE_HOME`, or in `~/.cache`. */
  directory?: string;
  /** Bytes of all entries together, beyond which the ones unused for longest are removed. Default 256 MiB. */
  maxBytes?: number;
}

export interface BundleOptions {
  /** Path (or file: URL) of the module whose exported functions are the workflows; extension and index may be left out. */
  workflowsPath: string;
  /** Paths or specifiers of modules that export `interceptors`. */
  workflowInterceptorModules?: string[];
  /** Gets warnings and timings. Default: nobody. */
  logger?: Logger;
  /** Path of a module that exports `payloadConverter`. */
  payloadConverterPath?: string;
  /** Path of a module that exports `failureConverter`. */
  failureConverterPath?: string;
  /** Modules replaced by a stub that throws when it is used. */
  ignoreModules?: string[];
  /** Modules evaluated once and shared, frozen, by all workflows of a realm. */
  preloadModules?: string[];
  /** Directories like `node_modules` where dependencies are looked for that are not found in the usual way. */
  nodeModulesPaths?: string[];
  /** Not supported: there is no webpack. Given, it is refused. */
  webpackConfigHook?: (config: any) => any;
  plugins?: BundlerPlugin[];
  /** Disk cache of finished bundles; false switches it off. Default: on. */
  cache?: boolean | BundleCacheOptions;
  /** Whether `code` carries its source map in a comment. Default: 'inline'. */
  sourceMap?: 'inline' | 'separate';
}

/** Options with every field decided and every path absolute. */
export interface ResolvedBundleOptions {
  readonly workflowsPath: string;
  readonly workflowInterceptorModules: readonly string[];
  readonly payloadConverterPath?: string;
  readonly failureConverterPath?: string;
  readonly ignoreModules: readonly string[];
  readonly preloadModules: readonly string[];
  readonly nodeModulesPaths: readonly string[];
  readonly logger?: Logger;
  readonly cache?: { readonly directory: string; readonly maxBytes: number };
  readonly sourceMap: 'inline' | 'separate';
}

type Errors = typeof import('./errors');

const KNOWN = [
  'workflowsPath',
  'workflowInterceptorModules',
  'logger',
  'payloadConverterPath',
  'failureConverterPath',
  'ignoreModules',
  'preloadModules',
  'nodeModulesPaths',
  'webpackConfigHook',
  'plugins',
  'cache',
  'sourceMap',
];

/** @throws {BundleError} BUNDLE_OPTIONS_INVALID, BUNDLE_WEBPACK_HOOK_UNSUPPORTED */
export function resolveBundleOptions(given: BundleOptions): ResolvedBundleOptions {
  // Errors pull in @perdure/common, which the way from the cache does not need.
  const errors = (): Errors => require('./errors') as Errors;
  let options = given;
  const problems: string[] = [];
  if (typeof given !== 'object' || given === null) {
    problems.push(`options must be an object, got ${describe(given)}`);
    options = { workflowsPath: '' };
  }
  for (const plugin of Array.isArray(options.plugins) ? options.plugins : []) {
    options = plugin.configureBundler?.(options) ?? options;
  }
  if (options.webpackConfigHook !== undefined) {
    throw new (errors().BundleError)(
      'BUNDLE_WEBPACK_HOOK_UNSUPPORTED',
      'webpackConfigHook cannot be honoured: bundles are not made by webpack',
      [],
      {
        hint: 'use ignoreModules to leave modules out and tsconfig "paths" or package.json "imports" for aliases',
      },
    );
  }
  const text = (field: string, value: unknown, required = false): string | undefined => {
    if (value === undefined && !required) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    problems.push(`${field} must be a path, got ${describe(value)}`);
    return undefined;
  };
  const list = (field: string, value: unknown): string[] => {
    if (value === undefined) return [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')) return value;
    problems.push(`${field} must be an array of non-empty strings, got ${describe(value)}`);
    return [];
  };
  for (const key of Object.keys(options)) {
    if (!KNOWN.includes(key)) problems.push(`unknown option ${key}${nearest(key)}`);
  }
  const workflowsPath = text('workflowsPath', options.workflowsPath, true);
  const payloadConverterPath = text('payloadConverterPath', options.payloadConverterPath);
  const failureConverterPath = text('failureConverterPath', options.failureConverterPath);
  const interceptors = list('workflowInterceptorModules', options.workflowInterceptorModules);
  const ignoreModules = list('ignoreModules', options.ignoreModules);
  const preloadModules = list('preloadModules', options.preloadModules);
  const nodeModulesPaths = list('nodeModulesPaths', options.nodeModulesPaths);
  const { cache = true, sourceMap = 'inline' } = options;
  if (sourceMap !== 'inline' && sourceMap !== 'separate') {
    problems.push(`sourceMap must be 'inline' or 'separate', got ${describe(sourceMap)}`);
  }
  if (typeof cache !== 'boolean' && (typeof cache !== 'object' || cache === null)) {
    problems.push(`cache must be a boolean or an object, got ${describe(cache)}`);
  } else if (typeof cache === 'object') {
    text('cache.directory', cache.directory);
    if (cache.maxBytes !== undefined && !(typeof cache.maxBytes === 'number' && cache.maxBytes > 0)) {
      problems.push(`cache.maxBytes must be a positive number of bytes, got ${describe(cache.maxBytes)}`);
    }
  }
  if (problems.length > 0) {
    throw new (errors().BundleError)(
      'BUNDLE_OPTIONS_INVALID',
      'the options of bundleWorkflowCode are not valid:',
      problems.map((message) => ({ message })),
    );
  }
  return {
    workflowsPath: absolute(workflowsPath!),
    workflowInterceptorModules: interceptors,
    ...(payloadConverterPath !== undefined && { payloadConverterPath: absolute(payloadConverterPath) }),
    ...(failureConverterPath !== undefined && { failureConverterPath: absolute(failureConverterPath) }),
    ignoreModules,
    preloadModules,
    nodeModulesPaths: nodeModulesPaths.map(absolute),
    ...(options.logger !== undefined && { logger: options.logger }),
    ...(cache !== false && {
      cache: {
        directory: path.resolve(
          (typeof cache === 'object' ? cache.directory : undefined) ?? defaultCacheDirectory(),
        ),
        maxBytes: (typeof cache === 'object' ? cache.maxBytes : undefined) ?? 256 * 1024 * 1024,
      },
    }),
    sourceMap,
  };
}

function absolute(file: string): string {
  return path.resolve(file.startsWith('file:') ? fileURLToPath(file) : file);
}

function defaultCacheDirectory(): string {
  const xdg = process.env.XDG_CACHE_HOME;
  const home = process.env.HOME ?? (require('node:os') as typeof import('node:os')).homedir();
  const root = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(home, '.cache');
  return path.join(root, 'perdure', 'bundles');
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}

function nearest(key: string): string {
  const lower = key.toLowerCase();
  const candidate = KNOWN.find((known) => {
    const other = known.toLowerCase();
    return other.startsWith(lower) || lower.startsWith(other) || distance(lower, other) <= 3;
  });
  return candidate === undefined ? '' : `; did you mean ${candidate}?`;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
