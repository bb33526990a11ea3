import * as fs from 'node:fs';
import * as path from 'node:path';
import { Inputs } from './inputs';
import { type ImportKind, matchesGlob, Resolver, splitPackageSpecifier } from './resolver';
import { makeProject, type Project, removeProjects } from './testing/project';
import { stripJsonComments } from './tsconfig';

afterAll(removeProjects);

/** What a specifier leads to from a file of the project, relative to the project. */
function resolve(project: Project, specifier: string, importer: string, kind: ImportKind = 'import'): string {
  const found = new Resolver(new Inputs()).resolve(specifier, project.path(importer), kind);
  return found.kind === 'file' ? path.relative(project.directory, found.path) : found.kind;
}

function check(files: Record<string, string>, importer: string, expected: Record<string, string>): void {
  const project = makeProject(files);
  const actual = Object.fromEntries(
    Object.keys(expected).map((specifier) => [specifier, resolve(project, specifier, importer)]),
  );
  expect(actual).toEqual(expected);
}

it('asks an installation without node_modules first where a package is, and depends on what decided so', () => {
  const project = makeProject({
    '.pnp.cjs': '',
    'store/a.zip/node_modules/a/package.json': '{"name":"a","exports":{".":"./main.js"}}',
    'store/a.zip/node_modules/a/main.js': '',
    'node_modules/a/index.js': '',
    'node_modules/b/index.js': '',
    'bases/strict/tsconfig.json': '{"compilerOptions":{"experimentalDecorators":true}}',
    'tsconfig.json': '{"extends":"strict"}',
  });
  const folders: Record<string, string> = { a: 'store/a.zip/node_modules/a', strict: 'bases/strict' };
  const inputs = new Inputs();
  const resolver = new Resolver(inputs, [], (name) =>
    folders[name] === undefined
      ? undefined
      : { root: project.path(folders[name]), decidedBy: project.path('.pnp.cjs') },
  );
  const found = (specifier: string) => resolver.resolve(specifier, project.path('main.ts'), 'import');
  expect(found('a')).toEqual({ kind: 'file', path: project.path('store/a.zip/node_modules/a/main.js') });
  expect(found('b')).toEqual({ kind: 'file', path: project.path('node_modules/b/index.js') });
  expect(resolver.sourceOptions(project.path('main.ts'))).toMatchObject({ experimentalDecorators: true });
  expect(inputs.files()).toContain(project.path('.pnp.cjs'));
});

describe('relative imports', () => {
  it('find files with and without extension, and folders with an index', () => {
    check(
      {
        'a.ts': '',
        'b.tsx': '',
        'c.js': '',
        'd.json': '',
        'dir/index.ts': '',
        'both.ts': '',
        'both/index.ts': '',
      },
      'main.ts',
      {
        './a': 'a.ts',
        './a.ts': 'a.ts',
        './b': 'b.tsx',
        './c': 'c.js',
        './d': 'd.json',
        './d.json': 'd.json',
        './dir': 'dir/index.ts',
        './dir/': 'dir/index.ts',
        './both': 'both.ts',
        './both/': 'both/index.ts',
        './gone': 'missing',
      },
    );
  });

  it('name the output in TypeScript and mean the source', () => {
    check(
      { 'a.ts': '', 'b.tsx': '', 'c.mts': '', 'd.cts': '', 'e.js': '', 'e.ts': '', 'f.js': '' },
      'main.ts',
      {
        './a.js': 'a.ts',
        './b.js': 'b.tsx',
        './c.mjs': 'c.mts',
        './d.cjs': 'd.cts',
        './e.js': 'e.ts',
        './f.js': 'f.js',
      },
    );
  });

  it('mean the file as named from JavaScript, and the source only where there is no other', () => {
    check({ 'e.js': '', 'e.ts': '', 'a.ts': '' }, 'main.js', {
      './e.js': 'e.js',
      './e': 'e.js',
      './a.js': 'a.ts',
    });
  });

  it('to a folder follow its package.json', () => {
    check(
      {
        'x/package.json': '{ "main": "lib/start" }',
        'x/lib/start.js': '',
        'y/package.json': '{ "main": "gone.js" }',
        'y/index.js': '',
      },
      'main.ts',
      { './x': 'x/lib/start.js', './y': 'y/index.js' },
    );
  });
});

describe('packages', () => {
  it('are looked for upwards, nearest first', () => {
    check(
      {
        'node_modules/a/index.js': '',
        'node_modules/b/index.js': '',
        'app/node_modules/a/index.js': '',
        'node_modules/@scope/c/package.json': '{ "main": "m.js" }',
        'node_modules/@scope/c/m.js': '',
        'node_modules/a/deep/file.js': '',
      },
      'app/src/main.ts',
      {
        a: 'app/node_modules/a/index.js',
        b: 'node_modules/b/index.js',
        '@scope/c': 'node_modules/@scope/c/m.js',
        none: 'missing',
      },
    );
  });

  it('give their ES module and browser variants where there is a choice', () => {
    check(
      {
        'node_modules/m/package.json': '{ "main": "cjs.js", "module": "esm.js" }',
        'node_modules/m/cjs.js': '',
        'node_modules/m/esm.js': '',
        'node_modules/b/package.json':
          '{ "name": "b", "main": "node.js", "browser": { "./node.js": "./browser.js", "fs": false, "x": "./own-x.js", "./only-node.js": false } }',
        'node_modules/b/node.js': '',
        'node_modules/b/browser.js': '',
        'node_modules/b/own-x.js': '',
        'node_modules/b/only-node.js': '',
        'node_modules/s/package.json': '{ "main": "node.js", "browser": "browser.js" }',
        'node_modules/s/browser.js': '',
      },
      'main.ts',
      { m: 'node_modules/m/esm.js', b: 'node_modules/b/browser.js', s: 'node_modules/s/browser.js' },
    );
    const project = makeProject({
      'node_modules/b/package.json':
        '{ "name": "b", "browser": { "fs": false, "x": "./own-x.js", "./only-node.js": false } }',
      'node_modules/b/own-x.js': '',
      'node_modules/b/only-node.js': '',
    });
    const from = 'node_modules/b/index.js';
    expect(resolve(project, 'fs', from)).toBe('empty');
    expect(resolve(project, 'x', from)).toBe('node_modules/b/own-x.js');
    expect(resolve(project, './only-node', from)).toBe('empty');
  });

  it('answer by "exports" alone where they have it', () => {
    const project = makeProject({
      'node_modules/p/package.json': JSON.stringify({
        name: 'p',
        main: 'old.js',
        exports: {
          '.': { types: './t.d.ts', node: './node.js', import: './esm.mjs', require: './cjs.cjs' },
          './feature': [{ unknown: './no.js' }, './feature.js'],
          './lib/*': './dist/*.js',
          './lib/private/*': null,
          './styles/*.css': './css/*.js',
        },
      }),
      'node_modules/p/esm.mjs': '',
      'node_modules/p/cjs.cjs': '',
      'node_modules/p/feature.js': '',
      'node_modules/p/dist/a/b.js': '',
      'node_modules/p/dist/private/x.js': '',
      'node_modules/p/css/main.js': '',
      'node_modules/p/hidden.js': '',
    });
    expect(resolve(project, 'p', 'main.ts')).toBe('node_modules/p/esm.mjs');
    expect(resolve(project, 'p', 'main.ts', 'require')).toBe('node_modules/p/cjs.cjs');
    expect(resolve(project, 'p/feature', 'main.ts')).toBe('node_modules/p/feature.js');
    expect(resolve(project, 'p/lib/a/b', 'main.ts')).toBe('node_modules/p/dist/a/b.js');
    expect(resolve(project, 'p/styles/main.css', 'main.ts')).toBe('node_modules/p/css/main.js');
    expect(resolve(project, 'p/lib/private/x', 'main.ts')).toBe('missing');
    expect(resolve(project, 'p/hidden.js', 'main.ts')).toBe('missing');
    expect(resolve(project, 'p/feature', 'node_modules/p/dist/a/b.js')).toBe('node_modules/p/feature.js');
  });

  it('have private imports of their own', () => {
    check(
      {
        'package.json': JSON.stringify({
          name: 'app',
          imports: {
            '#util': './src/util.js',
            '#lib/*': './src/lib/*.ts',
            '#dep': { require: 'x', default: 'dep' },
          },
        }),
        'src/util.ts': '',
        'src/lib/a.ts': '',
        'node_modules/dep/index.js': '',
      },
      'src/main.ts',
      {
        '#util': 'src/util.ts',
        '#lib/a': 'src/lib/a.ts',
        '#dep': 'node_modules/dep/index.js',
        '#none': 'missing',
      },
    );
  });

  it('that are linked workspaces are known by their real place', () => {
    const project = makeProject({
      'packages/shared/package.json': '{ "name": "shared", "main": "lib/index.js" }',
      'packages/shared/lib/index.ts': '',
    });
    fs.mkdirSync(project.path('packages/app/node_modules'), { recursive: true });
    fs.symlinkSync(project.path('packages/shared'), project.path('packages/app/node_modules/shared'));
    // Not built yet: the source that the entry will be compiled from does as well.
    expect(resolve(project, 'shared', 'packages/app/main.ts')).toBe('packages/shared/lib/index.ts');
    project.write('packages/shared/lib/index.js', '');
    expect(resolve(project, 'shared', 'packages/app/main.ts')).toBe('packages/shared/lib/index.js');
  });

  it('say which of their files have effects', () => {
    const project = makeProject({
      'node_modules/none/package.json': '{ "name": "none", "sideEffects": false }',
      'node_modules/some/package.json':
        '{ "name": "some", "sideEffects": ["./setup.js", "*.css", "lib/**/init.js"] }',
    });
    const resolver = new Resolver(new Inputs());
    const has = (file: string) => resolver.hasSideEffects(project.path(file));
    expect(has('own.ts')).toBe(true);
    expect(has('node_modules/none/a.js')).toBe(false);
    expect(
      ['setup.js', 'deep/x.css', 'lib/a/b/init.js', 'other.js'].map((file) =>
        has(`node_modules/some/${file}`),
      ),
    ).toEqual([true, true, true, false]);
    expect(matchesGlob('./src/{a,b}/*.js', 'src/b/x.js')).toBe(true);
    expect(matchesGlob('src/*.js', 'src/b/x.js')).toBe(false);
  });

  it('are told from paths by their specifier', () => {
    expect(splitPackageSpecifier('@a/b/c/d')).toEqual({ name: '@a/b', subpath: './c/d' });
    expect(splitPackageSpecifier('a')).toEqual({ name: 'a', subpath: '.' });
    for (const specifier of ['', '@', '@a', './a', '%2e', 'a\\b'])
      expect(splitPackageSpecifier(specifier)).toBeUndefined();
  });
});

describe('tsconfig.json', () => {
  it('prefers the most specific pattern and tries its targets in order', () => {
    check(
      {
        'tsconfig.json':
          '{ "compilerOptions": { "paths": { "*": ["./any/*"], "@a/*": ["./one/*", "./two/*"], "@a/b/*": ["./b/*"], "@a/exact": ["./types.d.ts", "./exact"] } } }',
        'any/x.ts': '',
        'two/y.ts': '',
        'b/z.ts': '',
        'exact.ts': '',
        'types.d.ts': '',
        'node_modules/real/index.js': '',
      },
      'src/main.ts',
      {
        x: 'any/x.ts',
        '@a/y': 'two/y.ts',
        '@a/b/z': 'b/z.ts',
        '@a/exact': 'exact.ts',
        real: 'node_modules/real/index.js',
      },
    );
  });

  it('is the nearest one above a file, and dependencies have none', () => {
    const project = makeProject({
      'tsconfig.json': '{ "compilerOptions": { "paths": { "@x": ["./outer.ts"] } } }',
      'outer.ts': '',
      'app/tsconfig.json':
        '{ "extends": "@company/tsconfig/node.json", "compilerOptions": { "paths": { "@x": ["./inner.ts"] } } }',
      'app/inner.ts': '',
      'node_modules/@company/tsconfig/package.json': '{ "name": "@company/tsconfig" }',
      'node_modules/@company/tsconfig/node.json':
        '{ "compilerOptions": { "experimentalDecorators": true, "target": "ES2017" } }',
    });
    expect(resolve(project, '@x', 'main.ts')).toBe('outer.ts');
    expect(resolve(project, '@x', 'app/src/main.ts')).toBe('app/inner.ts');
    const resolver = new Resolver(new Inputs());
    expect(resolver.sourceOptions(project.path('app/a.ts'))).toMatchObject({
      experimentalDecorators: true,
      useDefineForClassFields: false,
    });
    expect(resolver.sourceOptions(project.path('node_modules/x/a.js'))).toBeUndefined();
  });

  it('may hold comments and trailing commas, and text that looks like them', () => {
    const text = '{ // note\n "a": "/* no */ // no ,]", /* yes\n */ "b": [1, 2, ], }';
    expect(JSON.parse(stripJsonComments(text))).toEqual({ a: '/* no */ // no ,]', b: [1, 2] });
  });

  it('that extends itself or a missing file is an error that names it', () => {
    const project = makeProject({
      'tsconfig.json': '{ "extends": "./other.json" }',
      'other.json': '{ "extends": "./tsconfig.json" }',
      'b/tsconfig.json': '{ "extends": "./gone.json" }',
    });
    expect(() => resolve(project, './x', 'main.ts')).toThrow(/extend each other in a circle/);
    expect(() => resolve(project, './x', 'b/main.ts')).toThrow(/cannot find the tsconfig ".\/gone.json"/);
  });
});

describe('further folders with packages', () => {
  it('are looked into last, in their order', () => {
    const project = makeProject({
      'src/main.ts': '',
      'node_modules/near/index.js': '',
      'layer-1/near/index.js': '',
      'layer-1/far/index.js': '',
      'layer-2/far/index.js': '',
      'layer-2/farther/package.json': JSON.stringify({ exports: { './part': './lib/part.js' } }),
      'layer-2/farther/lib/part.js': '',
    });
    const folders = [project.path('layer-1'), project.path('layer-2')];
    const resolver = new Resolver(new Inputs(), folders);
    const found = ['near', 'far', 'farther/part', 'nowhere'].map((specifier) => {
      const resolution = resolver.resolve(specifier, project.path('src/main.ts'), 'import');
      return resolution.kind === 'file' ? path.relative(project.directory, resolution.path) : resolution.kind;
    });
    expect(found).toEqual([
      'node_modules/near/index.js',
      'layer-1/far/index.js',
      'layer-2/farther/lib/part.js',
      'missing',
    ]);
  });
});
