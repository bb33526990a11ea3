/**
 * Coverage of workflow code: what V8 has counted on the lanes, handed to the tool that collects the program's own.
 *
 * Owns    the forms in which tools take it. Mapping to sources is done by the bundle's source map.
 * C1  Under a tool that sets NODE_V8_COVERAGE (c8), one file is added to that folder for each collection.
 * C2  Under Jest (default provider), counts are added to `__coverage__` of the test file's global object.
 * C3  Elsewhere, counts are added to a folder: in Istanbul's form for vitest-coverage.ts, in V8's with code and map for
 *     jest-v8-coverage.ts.
 * C4  Nothing happens, and nothing is loaded, where nobody asked for coverage.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Runtime } from '@perdure/worker';
import { type ReadableBundle, readableBundle } from './coverage-of-bundle';
import { COVERAGE_VARIABLE, RAW_PREFIX } from './coverage-variable';

type Covered = ReadableBundle & { readonly path: string };

/** One bundle's counts in the folder of a reporter. */
export interface RawCoverage extends ReadableBundle {
  /** `file:` URL that stands for the bundle. */
  readonly url: string;
}

/** Collects what has run since the last call. Call it while the lanes still are. */
export async function collectCoverage(): Promise<void> {
  const folder = process.env.NODE_V8_COVERAGE;
  if (!folder && !process.env[COVERAGE_VARIABLE]) return; // C4
  const counted = await Runtime.instance().workflows.takeCoverage();
  const covered = counted.flatMap((entry): Covered[] => {
    if (entry.sourceMap === undefined || entry.functions.length === 0) return [];
    const bundle = readableBundle(entry);
    return bundle === undefined ? [] : [{ ...bundle, path: bundlePath(entry.hash) }];
  });
  if (covered.length === 0) return;
  const target = process.env[COVERAGE_VARIABLE] ?? '';
  if (folder) await addToFolder(folder, covered);
  else if (target.startsWith(RAW_PREFIX)) await addRaw(target.slice(RAW_PREFIX.length), covered);
  else await addIstanbul(covered, target);
}

/** Bundles have no file; tools only want a name inside of the project. */
function bundlePath(hash: string): string {
  return join(process.cwd(), `workflow-bundle-${hash.slice(0, 12).replace(/[^\w-]/g, '_')}.js`);
}

/** C1: the form in which Node.js writes coverage, with the map and the lengths of lines in place of a file. */
async function addToFolder(folder: string, covered: readonly Covered[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const { path, code, map, functions } of covered) {
    const url = pathToFileURL(path).href;
    const report = {
      result: [{ scriptId: '0', url, functions }],
      'source-map-cache': {
        [url]: {
          lineLengths: code.split('\n').map((line) => line.length),
          data: map,
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
  for (const { path, code, map, functions } of covered) {
    const converter = v8ToIstanbul(path, 0, { source: code, sourceMap: { sourcemap: map } } as never);
    await converter.load();
    converter.applyCoverage(functions as never);
    merged.merge(JSON.parse(JSON.stringify(converter.toIstanbul())));
  }
  const plain = JSON.stringify(merged); // tools take plain objects only
  if (target === '1') global.__coverage__ = JSON.parse(plain);
  else await writeFile(join(target, `${randomUUID()}.json`), plain);
}

/** C3 */
async function addRaw(folder: string, covered: readonly Covered[]): Promise<void> {
  for (const { path, ...bundle } of covered) {
    const raw: RawCoverage = { ...bundle, url: pathToFileURL(path).href };
    await writeFile(join(folder, `${randomUUID()}.json`), JSON.stringify(raw));
  }
}
