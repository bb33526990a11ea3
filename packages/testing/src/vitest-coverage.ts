/**
 * Vitest's v8 provider, with coverage of workflow code added:
 * `coverage: { provider: 'custom', customProviderModule: '@perdure/testing/vitest-coverage' }`.
 *
 * The provider of `@vitest/coverage-v8` does all the work; what the test files have collected on the lanes (coverage.ts)
 * is merged into its map, and passes its filters as everything else does.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COVERAGE_VARIABLE } from './coverage-variable';

interface CoverageMap {
  merge(other: unknown): void;
  filter(keep: (file: string) => boolean): void;
}

interface Provider {
  generateCoverage(context: unknown): Promise<CoverageMap>;
  isIncluded?(file: string): boolean;
}

interface ProviderModule {
  startCoverage(options: unknown): Promise<unknown>;
  takeCoverage(options: unknown): Promise<unknown>;
  stopCoverage(options: unknown): Promise<unknown>;
  getProvider(): Promise<Provider>;
}

/** The user's: it must be of the version of their Vitest, and not everybody has it. */
const V8_PROVIDER: string = '@vitest/coverage-v8';

async function inner(): Promise<ProviderModule> {
  const { createRequire } = await import('node:module');
  const { pathToFileURL } = await import('node:url');
  const fromProject = createRequire(join(process.cwd(), 'package.json')).resolve(V8_PROVIDER);
  return ((await import(pathToFileURL(fromProject).href)) as { default: ProviderModule }).default;
}

/** The user's provider, whose map also gets the workflows' counts. */
export async function getProvider(): Promise<Provider> {
  const folder = await mkdtemp(join(tmpdir(), 'perdure-vitest-coverage-'));
  process.env[COVERAGE_VARIABLE] = folder; // test files run in processes that inherit it
  process.once('exit', () =>
    (require('node:fs') as typeof import('node:fs')).rmSync(folder, { recursive: true, force: true }),
  );
  const provider = await (await inner()).getProvider();
  const generate = provider.generateCoverage.bind(provider);
  provider.generateCoverage = async (context) => {
    const map = await generate(context);
    for (const name of await readdir(folder)) {
      const file = join(folder, name);
      const collected = JSON.parse(await readFile(file, 'utf8'));
      for (const path of Object.keys(collected))
        if (provider.isIncluded?.(path) === false) delete collected[path];
      map.merge(collected);
      await rm(file); // watch mode collects anew
    }
    return map;
  };
  return provider;
}

export async function startCoverage(options: unknown): Promise<unknown> {
  return await (await inner()).startCoverage(options);
}

export async function takeCoverage(options: unknown): Promise<unknown> {
  return await (await inner()).takeCoverage(options);
}

export async function stopCoverage(options: unknown): Promise<unknown> {
  return await (await inner()).stopCoverage(options);
}
