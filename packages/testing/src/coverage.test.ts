import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createCoverageMap } from 'istanbul-lib-coverage';
import { workflowsPath } from './testing/support';

async function covered(variables: Record<string, string>): Promise<any> {
  const { NODE_V8_COVERAGE: _, PERDURE_WORKFLOW_COVERAGE: __, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [join(__dirname, 'testing', 'covered.js')], {
    env: { ...env, ...variables },
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout);
}

/** Number of the line with this text, from 1. */
async function lineOf(text: string): Promise<number> {
  const lines = (await readFile(workflowsPath, 'utf8')).split('\n');
  return lines.findIndex((line) => line.includes(text)) + 1;
}

describe('coverage of workflow code', () => {
  it('is added to __coverage__ by lines of the sources, those that have not run included', async () => {
    const coverage = await covered({ PERDURE_WORKFLOW_COVERAGE: '1' });
    expect(Object.keys(coverage)).toContain(workflowsPath);
    const lines = createCoverageMap(coverage).fileCoverageFor(workflowsPath).getLineCoverage();
    expect(lines[await lineOf('return `Hello, ')]).toBeGreaterThan(0);
    expect(lines[await lineOf('const reservation = await reserve(')]).toBe(0);
  });

  it('is added to the folder of NODE_V8_COVERAGE, with the map to the sources', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'perdure-coverage-'));
    try {
      expect(await covered({ NODE_V8_COVERAGE: folder })).toBeNull();
      const files = await Promise.all(
        (await readdir(folder)).map(async (file) => JSON.parse(await readFile(join(folder, file), 'utf8'))),
      );
      const maps = files.flatMap((file) => Object.entries<any>(file['source-map-cache'] ?? {}));
      const bundle = maps.find(([url]) => url.includes('workflow-bundle-'));
      expect(bundle![1].data.sources).toContain(workflowsPath);
      const report = files.find((file) => file.result.some(({ url }: any) => url === bundle![0]));
      const names = report.result[0].functions.map(({ functionName }: any) => functionName);
      expect(names).toEqual(expect.arrayContaining(['hello']));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('is not collected when nobody asks for it', async () => {
    expect(await covered({})).toBeNull();
  });
});
