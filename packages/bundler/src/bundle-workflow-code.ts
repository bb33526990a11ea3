/**
 * The bundler's front: options in, bundle out, from the cache where nothing changed.
 *
 * W1  The way from the cache loads neither rollup nor the transformer.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { BUNDLE_FORMAT, HOST_MODULES, REALM_GLOBALS } from '@perdure/common/bundle';
import { BundleCache, type CachedBundle } from './cache';
import type { BundleProblem } from './errors';
import { hashContent, Inputs } from './inputs';
import { type BundleOptions, type ResolvedBundleOptions, resolveBundleOptions } from './options';
import { inlineSourceMap } from './source-map';

/** A finished bundle. */
export interface WorkflowBundleWithSourceMap {
  /** Script text in the format of `@perdure/common/bundle`, with its source map in a comment unless kept apart. */
  readonly code: string;
  /** Source map of `code`, version 3, as JSON; sources are absolute paths. */
  readonly sourceMap: string;
  /** Identifies the script: equal hashes, equal bundles. */
  readonly hash: string;
  /** Exports of the workflows module that may be workflows. */
  readonly workflowTypes: readonly string[];
  readonly warnings: readonly BundleProblem[];
  /** Files whose content is in the bundle or decided about it; what a watch mode has to watch. */
  readonly inputFiles: readonly string[];
  /** Whether the bundle came from the disk cache. */
  readonly fromCache: boolean;
}

/**
 * Bundles workflow code into one deterministic script.
 * @throws {BundleError} every problem found, with `code` BUNDLE_...
 */
export async function bundleWorkflowCode(options: BundleOptions): Promise<WorkflowBundleWithSourceMap> {
  return await new Bundler(options).bundle();
}

/** Builds under way in this process, by cache key. */
const building = new Map<string, Promise<CachedBundle>>();

/** Bundles the same workflows again and again: what did not change between two builds is not transformed twice. */
export class Bundler {
  private readonly options: ResolvedBundleOptions;
  private transforms: import('./build').TransformCache | undefined;

  /** @throws {BundleError} BUNDLE_OPTIONS_INVALID, BUNDLE_WEBPACK_HOOK_UNSUPPORTED */
  constructor(options: BundleOptions) {
    this.options = resolveBundleOptions(options);
  }

  /** @throws {BundleError} every problem found, with `code` BUNDLE_... */
  async bundle(): Promise<WorkflowBundleWithSourceMap> {
    const { options } = this;
    const startedAtMs = performance.now();
    const cache = options.cache && new BundleCache(options.cache.directory, options.cache.maxBytes);
    const key = cache && cacheKey(options);
    for (;;) {
      const cached = key === undefined ? undefined : cache?.read(key);
      if (cached !== undefined) return this.finish({ ...cached, fromCache: true }, startedAtMs);
      // Workers that start together wait for the first one's build. They take it from the cache, not from the build:
      // files may have changed since that began.
      const other = key === undefined ? undefined : building.get(key);
      if (other === undefined) break;
      await other.catch(() => undefined);
    }
    const build = this.build(key, cache);
    if (key !== undefined) {
      building.set(key, build);
      const done = () => building.delete(key);
      build.then(done, done);
    }
    return this.finish({ ...(await build), fromCache: false }, startedAtMs);
  }

  private async build(key: string | undefined, cache: BundleCache | undefined): Promise<CachedBundle> {
    const { buildBundle, TransformCache } = require('./build') as typeof import('./build');
    this.transforms ??= new TransformCache();
    const inputs = new Inputs();
    const createdAt = Date.now();
    const built = await buildBundle(this.options, inputs, this.transforms);
    const bundle = {
      script: built.script,
      sourceMap: built.sourceMap,
      hash: hashContent(built.script),
      workflowTypes: built.workflowTypes,
      warnings: built.warnings,
      inputFiles: inputs.files(),
    };
    if (key !== undefined) cache?.write(key, bundle, inputs.records(), createdAt);
    return bundle;
  }

  private finish(
    bundle: Omit<WorkflowBundleWithSourceMap, 'code' | 'warnings'> & {
      script: string;
      warnings: readonly object[];
    },
    startedAtMs: number,
  ): WorkflowBundleWithSourceMap {
    const { script, ...rest } = bundle;
    const { logger, sourceMap } = this.options;
    const warnings = bundle.warnings as BundleProblem[];
    for (const { message, file, line } of warnings) logger?.warn(message, { file, line });
    logger?.info('Workflow bundle created', {
      size: sizeOf(script),
      durationMs: Math.round(performance.now() - startedAtMs),
      fromCache: bundle.fromCache,
      hash: bundle.hash,
    });
    return {
      ...rest,
      warnings,
      code: sourceMap === 'inline' ? inlineSourceMap(script, bundle.sourceMap) : script,
    };
  }
}

/** Key of everything that decides about a bundle beside the files it is made of. */
function cacheKey(options: ResolvedBundleOptions): string {
  const { logger: _logger, cache: _cache, sourceMap: _sourceMap, ...deciding } = options;
  return hashContent(
    JSON.stringify([ownFingerprint(), BUNDLE_FORMAT, HOST_MODULES, REALM_GLOBALS, deciding, process.cwd()]),
  ).slice(0, 32);
}

let fingerprint: string | undefined;

/** Changes with the bundler's own code and with the versions of what it builds with. */
function ownFingerprint(): string {
  if (fingerprint === undefined) {
    const parts: string[] = [];
    for (const name of fs.readdirSync(__dirname).sort()) {
      if (!name.endsWith('.js') || name.endsWith('.test.js')) continue;
      parts.push(name, hashContent(fs.readFileSync(path.join(__dirname, name))));
    }
    for (const tool of ['rollup', '@rollup/plugin-commonjs', 'oxc-transform', 'cjs-module-lexer']) {
      parts.push(tool, versionOf(tool));
    }
    fingerprint = hashContent(parts.join('\n'));
  }
  return fingerprint;
}

function versionOf(tool: string): string {
  for (let at = __dirname; ; at = path.dirname(at)) {
    const file = path.join(at, 'node_modules', tool, 'package.json');
    try {
      return String((JSON.parse(fs.readFileSync(file, 'utf8')) as { version?: unknown }).version);
    } catch {
      if (path.dirname(at) === at) return 'unknown';
    }
  }
}

/** As the official SDK says it; bundles of user code alone are often too small for megabytes. */
function sizeOf(script: string): string {
  return script.length < 10_000
    ? `${(script.length / 1e3).toFixed(1)}KB`
    : `${(script.length / 1e6).toFixed(2)}MB`;
}
