import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type BundleOptions, Bundler, bundleWorkflowCode } from './index';
import { makeProject, type Project, removeProjects } from './testing/project';
import { TestRealm } from './testing/realm';

afterAll(removeProjects);

function setUp(files: Record<string, string>, more: Partial<BundleOptions> = {}) {
  const project = makeProject(files);
  const directory = project.path('.cache');
  const bundle = () =>
    bundleWorkflowCode({ workflowsPath: project.path('workflows.ts'), cache: { directory }, ...more });
  return { project, directory, bundle };
}

const files = {
  'tsconfig.json': '{ "compilerOptions": { "paths": { "@v": ["./v.ts"] } } }',
  'workflows.ts': `import { v } from '@v'; import { w } from './w'; export async function main() { return [v, w]; }`,
  'v.ts': `export const v = 1;`,
  'w/index.ts': `export const w = 1;`,
};

function entries(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.bundle'))
    .map((name) => path.join(directory, name));
}

async function result(bundle: Promise<{ code: string }>): Promise<unknown> {
  return await new TestRealm((await bundle).code).newRun().workflow('main')();
}

describe('the bundle cache', () => {
  it('gives the same bundle again while nothing changed', async () => {
    const { bundle } = setUp(files);
    const [first, second] = [await bundle(), await bundle()];
    expect([first.fromCache, second.fromCache]).toEqual([false, true]);
    expect({ ...second, fromCache: false }).toEqual(first);
  });

  it.each<[string, (project: Project) => void, unknown]>([
    ['a source file', (project) => project.write('v.ts', 'export const v = 2;'), [2, 1]],
    [
      'a source file, with its times put back',
      (project) => {
        const { atime, mtime } = fs.statSync(project.path('v.ts'));
        project.write('v.ts', 'export const v = 2;');
        fs.utimesSync(project.path('v.ts'), atime, mtime);
      },
      [2, 1],
    ],
    [
      'the tsconfig',
      (project) => {
        project.write('u.ts', 'export const v = 3;');
        project.write('tsconfig.json', '{ "compilerOptions": { "paths": { "@v": ["./u.ts"] } } }');
      },
      [3, 1],
    ],
    [
      'a file that now comes first in resolution',
      (project) => project.write('w.ts', 'export const w = 2;'),
      [1, 2],
    ],
    [
      'a tsconfig that now is nearer',
      (project) => project.write('w/tsconfig.json', '{ "compilerOptions": { "target": "es2018" } }'),
      [1, 1],
    ],
  ])('builds anew after a change of %s', async (_name, change, expected) => {
    const { project, bundle } = setUp(files);
    await bundle();
    change(project);
    const after = await bundle();
    expect(after.fromCache).toBe(false);
    expect(await result(Promise.resolve(after))).toEqual(expected);
    expect((await bundle()).fromCache).toBe(true);
  });

  it('follows a link that points elsewhere', async () => {
    const { project, bundle } = setUp({
      'workflows.ts': `import { v } from 'dep'; export async function main() { return v; }`,
      'one/index.ts': 'export const v = 1;',
      'two/index.ts': 'export const v = 2;',
    });
    fs.mkdirSync(project.path('node_modules'));
    fs.symlinkSync(project.path('one'), project.path('node_modules/dep'));
    expect(await result(bundle())).toBe(1);
    fs.rmSync(project.path('node_modules/dep'));
    fs.symlinkSync(project.path('two'), project.path('node_modules/dep'));
    expect(await result(bundle())).toBe(2);
  });

  it('keeps several states of the same sources', async () => {
    const { project, bundle, directory } = setUp(files);
    await bundle();
    project.write('v.ts', 'export const v = 2;');
    await bundle();
    project.write('v.ts', 'export const v = 1;');
    expect((await bundle()).fromCache).toBe(true);
    expect(entries(directory)).toHaveLength(2);
    for (let v = 3; v < 9; v++) {
      project.write('v.ts', `export const v = ${v};`);
      await bundle();
    }
    expect(entries(directory)).toHaveLength(4);
  });

  it('lets those who ask at the same time share one build', async () => {
    const { bundle, directory } = setUp(files);
    const bundles = await Promise.all([bundle(), bundle(), bundle()]);
    expect(bundles.map(({ fromCache }) => fromCache)).toEqual([false, true, true]);
    expect(entries(directory)).toHaveLength(1);
    // A build that fails is not remembered.
    const broken = setUp({ 'workflows.ts': 'export const = 1;' });
    await expect(Promise.all([broken.bundle(), broken.bundle()])).rejects.toMatchObject({
      code: 'BUNDLE_SYNTAX_INVALID',
    });
    broken.project.write('workflows.ts', 'export async function main() { return 1; }');
    expect(await result(broken.bundle())).toBe(1);
  });

  it('tells options apart', async () => {
    const { project, directory } = setUp(files);
    const options = { workflowsPath: project.path('workflows.ts'), cache: { directory } };
    await bundleWorkflowCode(options);
    expect((await bundleWorkflowCode({ ...options, ignoreModules: ['fs'] })).fromCache).toBe(false);
    expect((await bundleWorkflowCode({ ...options, sourceMap: 'separate' })).fromCache).toBe(true);
  });

  it('finds out damaged entries and builds anew', async () => {
    const { bundle, directory } = setUp(files);
    for (const damage of [
      (bytes: Buffer) => bytes.subarray(0, bytes.length - 1),
      (bytes: Buffer) => Buffer.concat([bytes, Buffer.from(' ')]),
      (bytes: Buffer) => {
        const copy = Buffer.from(bytes);
        copy[copy.length - 10]! ^= 1;
        return copy;
      },
      () => Buffer.from('{}'),
      () => Buffer.alloc(0),
    ]) {
      const first = await bundle();
      const [file] = entries(directory);
      fs.writeFileSync(file!, damage(fs.readFileSync(file!)));
      const again = await bundle();
      expect(again.fromCache).toBe(false);
      expect(again.code).toBe(first.code);
    }
  });

  it('is no reason to fail when it cannot be used', async () => {
    const project = makeProject({ ...files, 'a-file': '' });
    const bundle = await bundleWorkflowCode({
      workflowsPath: project.path('workflows.ts'),
      cache: { directory: project.path('a-file') },
    });
    expect(bundle.fromCache).toBe(false);
  });

  it('removes what was unused for longest when it grows too large', async () => {
    const { project, directory } = setUp(files);
    const build = (name: string) => {
      project.write(`${name}.ts`, `export async function main() { return '${'x'.repeat(4000)}'; }`);
      return bundleWorkflowCode({
        workflowsPath: project.path(`${name}.ts`),
        cache: { directory, maxBytes: 40_000 },
      });
    };
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await build(name);
    const bytes = entries(directory).reduce((sum, file) => sum + fs.statSync(file).size, 0);
    expect(bytes).toBeLessThanOrEqual(40_000);
    expect(
      (await bundleWorkflowCode({ workflowsPath: project.path('f.ts'), cache: { directory } })).fromCache,
    ).toBe(true);
    expect(
      (await bundleWorkflowCode({ workflowsPath: project.path('a.ts'), cache: { directory } })).fromCache,
    ).toBe(false);
  });

  it('is shared by processes, and loads neither rollup nor the transformer on the way from it', () => {
    const project = makeProject(files);
    const script = `
      const { bundleWorkflowCode } = require(${JSON.stringify(path.join(__dirname, 'index.js'))});
      bundleWorkflowCode({ workflowsPath: ${JSON.stringify(project.path('workflows.ts'))}, cache: { directory: ${JSON.stringify(project.path('.cache'))} } })
        .then(({ fromCache, hash }) => console.log(JSON.stringify({
          fromCache, hash, heavy: Object.keys(require.cache).filter((file) => /node_modules/.test(file)),
        })));`;
    const run = () =>
      JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })) as {
        fromCache: boolean;
        hash: string;
        heavy: string[];
      };
    const [first, second] = [run(), run()];
    expect([first.fromCache, second.fromCache]).toEqual([false, true]);
    expect(second.hash).toBe(first.hash);
    expect(first.heavy.some((file) => file.includes('rollup'))).toBe(true);
    expect(second.heavy).toEqual([]);
  });
});

describe('a bundler that is used again', () => {
  it('gives new code after a change, and does not transform what did not change', async () => {
    const project = makeProject(files);
    const bundler = new Bundler({ workflowsPath: project.path('workflows.ts'), cache: false });
    expect(await result(bundler.bundle())).toEqual([1, 1]);
    project.write('v.ts', 'export const v = 5;');
    expect(await result(bundler.bundle())).toEqual([5, 1]);
    expect((await bundler.bundle()).inputFiles).toEqual(
      ['tsconfig.json', 'v.ts', 'w/index.ts', 'workflows.ts'].map((file) => project.path(file)),
    );
  });
});
