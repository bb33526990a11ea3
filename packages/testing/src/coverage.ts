/**
 * Coverage of workflow code: what V8 has counted on the lanes, handed to the tool that collects the program's own.
 *
 * Owns    the forms in which tools take it. Mapping to sources is done by the bundle's source map.
 * C1  Under a tool that sets NODE_V8_COVERAGE (c8), one file is added to that folder for each collection.
 * C2  Under Jest (default provider), counts are added to `__coverage__` of the test file's global object.
 * C3  Elsewhere, counts are added to a folder in Istanbul's form; vitest-coverage.ts reads it.
 * C4  Nothing happens, and nothing is loaded, where nobody asked for coverage.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Runtime } from '@perdure/worker';
import { COVERAGE_VARIABLE } from './coverage-variable';

type Covered = Awaited<ReturnType<Runtime['workflows']['takeCoverage']>>[number];

interface SourceMapJson {
  sources: string[];
  sourcesContent?: (string | null)[];
}

/** Collects what has run since the last call. Call it while the lanes still are. */
export async function collectCoverage(): Promise<void> {
  const folder = process.env.NODE_V8_COVERAGE;
  if (!folder && !process.env[COVERAGE_VARIABLE]) return; // C4
  const covered = (await Runtime.instance().workflows.takeCoverage()).filter(
    ({ sourceMap, functions }) => sourceMap !== undefined && functions.length > 0,
  );
  if (covered.length === 0) return;
  if (folder) await addToFolder(folder, covered);
  else await addIstanbul(covered, process.env[COVERAGE_VARIABLE]!);
}

/** Bundles have no file; tools only want a name inside of the project. */
function bundlePath(hash: string): string {
  return join(process.cwd(), `workflow-bundle-${hash.slice(0, 12).replace(/[^\w-]/g, '_')}.js`);
}

function mapOf({ sourceMap }: Covered): SourceMapJson {
  const map = JSON.parse(sourceMap!) as SourceMapJson;
  map.sources = map.sources.map((source) => (source.startsWith('file:') ? fileURLToPath(source) : source));
  return map;
}

/** C1: the form in which Node.js writes coverage, with the map and the lengths of lines in place of a file. */
async function addToFolder(folder: string, covered: readonly Covered[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const entry of covered) {
    const url = pathToFileURL(bundlePath(entry.hash)).href;
    const report = {
      result: [{ scriptId: '0', url, functions: entry.functions }],
      'source-map-cache': {
        [url]: {
          lineLengths: entry.code.split('\n').map((line) => line.length),
          data: mapOf(entry),
          url: null,
        },
      },
    };
    const name = `coverage-${process.pid}-${Date.now()}-${randomUUID()}.json`;
    await writeFile(join(folder, name), JSON.stringify(report));
  }
}

/** C2, C3 */
async function addIstanbul(covered: readonly Covered[], target: string): Promise<void> {
  const { createCoverageMap } = require('istanbul-lib-coverage') as typeof import('istanbul-lib-coverage');
  const v8ToIstanbul = require('v8-to-istanbul') as typeof import('v8-to-istanbul');
  const global = globalThis as { __coverage__?: Parameters<typeof createCoverageMap>[0] };
  const merged = createCoverageMap(JSON.parse(JSON.stringify((target === '1' && global.__coverage__) || {})));
  for (const entry of covered) {
    const path = bundlePath(entry.hash);
    const sources = { source: entry.code, sourceMap: { sourcemap: mapOf(entry) } };
    const converter = v8ToIstanbul(path, 0, sources as never, isForeign);
    await converter.load();
    converter.applyCoverage(entry.functions as never);
    merged.merge(JSON.parse(JSON.stringify(converter.toIstanbul())));
  }
  merged.filter((file) => !isForeign(file));
  const plain = JSON.stringify(merged); // tools take plain objects only
  if (target === '1') global.__coverage__ = JSON.parse(plain);
  else await writeFile(join(target, `${randomUUID()}.json`), plain);
}

/** Libraries, and what the bundler has made up. */
function isForeign(path: string): boolean {
  return /[\\/]node_modules[\\/]|\0/.test(path) || !/[\\/]/.test(path);
}
