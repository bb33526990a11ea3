import { createContext } from 'node:vm';
import { bundleFileName, compileBundle, usesImport } from './bundle-script';

describe('usesImport', () => {
  it.each([
    ['a call', 'import("node:fs")'],
    ['a call in a function that is never run', 'function f() { return () => import("x"); }'],
    ['a call with a comment between', 'import/* hidden */("x")'],
    ['a call on the next line', 'import\n("x")'],
    ['a call behind a comment as old HTML has them', 'import <!-- hidden\n("x")'],
    ['a call behind a spread', '[...import("x")]'],
    ['a call behind a comment that ends with a dot', '/* a. */import("x")'],
    ['a call in a template', `\`$\{import("x")}\``],
    ['a call behind a string that looks like one', '"import(1)"; import("x")'],
    ['a call behind a regular expression', '/[/]"/.test("a"); import("x"); "'.replace(/ "$/, '')],
    ['a call in a method of that name', '({ import() { return import("x"); } })'],
    ['a call in a computed key', '({ [import("x")]: 1 })'],
    ['a call as an argument', 'f(import("x"))'],
    ['a call that a block follows', 'import("x")\n{ }'],
    ['its own properties', '() => import.meta'],
    ['other phases', 'import.source("x")'],
    ['import declarations', 'import x from "x"'],
  ])('finds %s', (_name, code) => {
    expect(usesImport(code, 'bundle.js')).toBe(true);
  });

  it.each([
    ['strings', '"import(1)" + \'import("x")\' + `import(x)`'],
    ['comments', '/* import("x") */ 1 // import("y")'],
    ['regular expressions', '/import\\(/.test("import(")'],
    ['properties', 'const o = {}; o.import = 1; o?.import; o.import("x")'],
    ['keys', '({ import: 1, "import": 2 })'],
    [
      'methods, accessors and fields',
      '({ import() {}, async *import() {}, get import() { return 1; } }); class A { import() {} static import = 1; #import = 1; }',
    ],
    ['names of groups', '/(?<import>a)\\k<import>/.exec("aa").groups.import'],
    ['destructuring', 'const { import: x, ...rest } = {}'],
    ['longer names', 'const $import = 1, imports = 2, reimport = 3'],
  ])('is not taken in by %s', (_name, code) => {
    expect(usesImport(code, 'bundle.js')).toBe(false);
  });
});

describe('compileBundle', () => {
  it('names a bundle by its hash', () => {
    expect(bundleFileName({ code: '', hash: '0123456789abcdef' })).toBe('workflow-bundle-0123456789ab.js');
  });

  it('gives a script that can be evaluated in many contexts', () => {
    const script = compileBundle({ code: '({ n: 1 })', hash: 'h' });
    expect(script.runInContext(createContext())).toEqual({ n: 1 });
    expect(script.runInContext(createContext())).toEqual({ n: 1 });
  });

  it('refuses what does not compile and what imports', () => {
    const refused = (code: string) => {
      try {
        compileBundle({ code, hash: 'h' });
        return undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    expect(refused('not javascript')).toBe('SANDBOX_BUNDLE_REFUSED');
    expect(refused('import("x")')).toBe('SANDBOX_BUNDLE_REFUSED');
    expect(refused('"import(x)"')).toBeUndefined();
  });
});
