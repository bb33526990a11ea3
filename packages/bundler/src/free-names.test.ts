import * as vm from 'node:vm';
import * as fc from 'fast-check';
import { parseAst } from 'rollup/parseAst';
import { applyEdits, findTopLevelAwaits, type Node, resolveFreeNames } from './free-names';

function rewrite(code: string): string {
  return applyEdits(code, resolveFreeNames(parseAst(code) as unknown as Node, new Set(['exports'])).edits);
}

/** Evaluates code whose free names are properties of `globals`, after rewriting and without. */
function evaluateBoth(code: string, globals: Record<string, unknown>): [rewritten: unknown, native: unknown] {
  const outcome = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      return `threw ${(error as Error).name}`;
    }
  };
  const parameters = 'globalThis, exports';
  const rewritten = outcome(() => {
    const exports: Record<string, unknown> = {};
    const own = { ...globals };
    vm.runInThisContext(`(function (${parameters}) {"use strict";\n${rewrite(code)}\n})`)(own, exports);
    return JSON.stringify([exports, own]);
  });
  const native = outcome(() => {
    // The reference: the same names as real globals of a fresh context.
    const context = vm.createContext({ ...globals });
    const exports: Record<string, unknown> = {};
    (context as Record<string, unknown>).exports = exports;
    vm.runInContext(`(function () {"use strict";\n${code}\n})()`, context);
    const { exports: _exports, ...rest } = context as Record<string, unknown>;
    return JSON.stringify([exports, rest]);
  });
  return [rewritten, native];
}

describe('free names', () => {
  const cases: [name: string, code: string, expected: string][] = [
    ['reads', 'exports.x = foo + foo.bar;', 'exports.x = globalThis.foo + globalThis.foo.bar;'],
    ['typeof', 'typeof foo;', 'typeof globalThis.foo;'],
    [
      'writes',
      'foo = 1; foo += 1; foo++; foo ??= 2;',
      'globalThis.foo = 1; globalThis.foo += 1; globalThis.foo++; globalThis.foo ??= 2;',
    ],
    ['calls', 'x = foo(1);', 'globalThis.x = (0, globalThis.foo)(1);'],
    [
      'calls that open a statement',
      'const a = b\nfoo()\n',
      'const a = globalThis.b\n;(0, globalThis.foo)()\n',
    ],
    [
      'calls as the whole of a branch',
      'if (1) foo(); else bar();',
      'if (1) (0, globalThis.foo)(); else (0, globalThis.bar)();',
    ],
    ['optional calls', 'const a = foo?.(1)?.b;', 'const a = (0, globalThis.foo)?.(1)?.b;'],
    ['tags', 'const a = foo`x`;', 'const a = (0, globalThis.foo)`x`;'],
    ['new', 'new Foo(1);', 'new globalThis.Foo(1);'],
    ['methods of free names', 'foo.bar();', 'globalThis.foo.bar();'],
    ['shorthand', 'const a = { foo, bar: foo };', 'const a = { foo: globalThis.foo, bar: globalThis.foo };'],
    [
      'destructuring targets',
      '({ foo, bar = 1, x: baz } = a); [foo] = a;',
      '({ foo: globalThis.foo, bar: globalThis.bar = 1, x: globalThis.baz } = globalThis.a); [globalThis.foo] = globalThis.a;',
    ],
    [
      'loops over free names',
      'for (foo of a) {} for (foo in a) {}',
      'for (globalThis.foo of globalThis.a) {} for (globalThis.foo in globalThis.a) {}',
    ],
    [
      'names of the realm',
      'Object.keys(Math); setTimeout(f, 1);',
      'Object.keys(Math); setTimeout(globalThis.f, 1);',
    ],
    ['writes to names of the realm', 'Math = 1;', 'globalThis.Math = 1;'],
    [
      'names of the global object',
      'global.a = self.b; globalThis.c; const o = { self };',
      'globalThis.a = globalThis.b; globalThis.c; const o = { self: globalThis };',
    ],
    ['eval', 'eval("1");', ';(0, globalThis.eval)("1");'],
    ['arguments of no function', 'const f = () => arguments;', 'const f = () => globalThis.arguments;'],
    [
      'property names, labels and private names',
      'a: for (;;) { break a; } const o = { a: 1, a() {} }; o.a; class C { a = 1; #a = 2; m() { return this.#a; } static { this.a; } }',
      'a: for (;;) { break a; } const o = { a: 1, a() {} }; o.a; class C { a = 1; #a = 2; m() { return this.#a; } static { this.a; } }',
    ],
    [
      'computed names',
      'const o = { [a]: 1 }; o[b]; class C { [c] = d; static [e]() {} }',
      'const o = { [globalThis.a]: 1 }; o[globalThis.b]; class C { [globalThis.c] = globalThis.d; static [globalThis.e]() {} }',
    ],
    [
      'parameters',
      'function f(a, { b, c: [d] }, ...e) { return [a, b, c, d, e, arguments]; }',
      'function f(a, { b, c: [d] }, ...e) { return [a, b, globalThis.c, d, e, arguments]; }',
    ],
    [
      'defaults that do not see the body',
      'function f(a = x) { var x; return x; }',
      'function f(a = globalThis.x) { var x; return x; }',
    ],
    [
      'defaults that see other parameters',
      'const f = (a, b = a, c = () => d, d) => b;',
      'const f = (a, b = a, c = () => d, d) => b;',
    ],
    [
      'hoisted declarations',
      'f(); x = 1; function f() {} var x; { g(); function g() {} } g();',
      'f(); x = 1; function f() {} var x; { g(); function g() {} } ;(0, globalThis.g)();',
    ],
    [
      'vars out of blocks',
      'if (1) { for (var i = 0; ; ) { var j; } } try {} catch { var k; } i + j + k;',
      'if (1) { for (var i = 0; ; ) { var j; } } try {} catch { var k; } i + j + k;',
    ],
    [
      'lexical blocks',
      '{ let a; a; } a; for (const b of b) b; b;',
      '{ let a; a; } globalThis.a; for (const b of b) b; globalThis.b;',
    ],
    [
      'catch parameters',
      'try {} catch ({ message, ...rest }) { message; rest; } message;',
      'try {} catch ({ message, ...rest }) { message; rest; } globalThis.message;',
    ],
    [
      'names of function and class expressions',
      'const a = function f() { f(); }; f(); const b = class C { m() { return C; } }; C;',
      'const a = function f() { f(); }; (0, globalThis.f)(); const b = class C { m() { return C; } }; globalThis.C;'.replace(
        '; (0, globalThis.f)',
        '; ;(0, globalThis.f)',
      ),
    ],
    [
      'switch',
      'switch (a) { case b: let a; a; default: foo() }',
      'switch (globalThis.a) { case globalThis.b: let a; a; default: ;(0, globalThis.foo)() }',
    ],
    [
      'superclasses',
      'class A extends B {} class D extends D2() {}',
      'class A extends globalThis.B {} class D extends (0, globalThis.D2)() {}',
    ],
    [
      'new.target and super',
      'function f() { return new.target; } class A extends f { constructor() { super(); super.x(); } }',
      'function f() { return new.target; } class A extends f { constructor() { super(); super.x(); } }',
    ],
  ];
  it.each(cases)('become properties of the global object: %s', (_name, code, expected) => {
    expect(rewrite(code)).toBe(expected);
    parseAst(rewrite(code));
  });

  it('keep undefined as the receiver of calls', () => {
    let receiver: unknown = 'unset';
    const globals = {
      foo(this: unknown) {
        receiver = this;
      },
    };
    vm.runInThisContext(`(function (globalThis) {"use strict";${rewrite('foo();')}})`)(globals);
    expect(receiver).toBeUndefined();
  });

  it('reports import(), import.meta and top-level await wherever they stand', () => {
    const refusals = (code: string) =>
      resolveFreeNames(parseAst(code) as unknown as Node, new Set()).refusals;
    expect(refusals('const f = () => ({ a: [`${import("x")}`] });')).toEqual([
      { construct: 'import()', start: 26 },
    ]);
    expect(refusals('class A { static { f(import.meta) } }')).toEqual([
      { construct: 'import.meta', start: 21 },
    ]);
    expect(refusals('async () => { await 1; for await (const x of y) {} }')).toEqual([]);
    expect(
      findTopLevelAwaits(
        parseAst('const x = { y: await 1 };\nfor await (const a of b) {}') as unknown as Node,
      ),
    ).toEqual([15, 26]);
  });

  // Programs in a small language of declarations, uses and scopes; names come from a small pool, so that shadowing,
  // hoisting and free use of the same name meet all the time.
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const { statement } = fc.letrec<{ expression: string; statement: string; block: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      name,
      fc.integer({ min: 0, max: 9 }).map(String),
      fc.tuple(tie('expression'), tie('expression')).map(([x, y]) => `[${x}, ${y}]`),
      name.map((n) => `typeof ${n}`),
      name.map((n) => `({ ${n} }).${n}`),
      fc.tuple(name, tie('expression')).map(([n, x]) => `((${n}) => ${x})(1)`),
      fc.tuple(name, name, tie('expression')).map(([n, m, x]) => `((${n} = ${m}) => ${x})()`),
      fc.tuple(name, tie('expression')).map(([n, x]) => `(function ${n}() { return ${x}; })()`),
      fc
        .tuple(name, tie('expression'), tie('expression'))
        .map(([n, x, y]) => `(({ ${n}, z = ${x} }) => ${y})({ ${n}: 3 })`),
      fc.tuple(name, tie('expression')).map(([n, x]) => `(${n} = ${x})`),
      fc.tuple(name, name).map(([n, m]) => `([${n}, ${m} = 5] = [6])[0]`),
    ),
    statement: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.tuple(name, tie('expression')).map(([n, x]) => `exports.${n} = JSON.stringify([${x}])`),
      fc.tuple(name, tie('expression')).map(([n, x]) => `${n} = ${x}`),
      fc.tuple(name, tie('expression')).map(([n, x]) => `var ${n} = ${x}`),
      fc.tuple(name, tie('block')).map(([n, b]) => `for (const ${n} of [7]) ${b}`),
      fc.tuple(name, tie('block')).map(([n, b]) => `for (${n} of [8]) ${b}`),
      fc.tuple(name, tie('block')).map(([n, b]) => `try { throw 9 } catch (${n}) ${b}`),
      fc.tuple(tie('expression'), tie('block')).map(([x, b]) => `if (${x}) ${b}`),
      fc.tuple(name, tie('expression'), tie('block')).map(([n, x, b]) => `{ let ${n} = ${x}; ${b} }`),
      fc.tuple(name, tie('block')).map(([n, b]) => `(function (${n}) ${b})(4)`),
      fc
        .tuple(name, tie('expression'))
        .map(([n, x]) => `exports.k = new (class ${n} { v = JSON.stringify([${x}]) })().v`),
    ),
    block: fc
      .array(tie('statement'), { maxLength: 3 })
      .map((statements) => `{ ${statements.map((s) => `${s};`).join('\n')} }`),
  }));

  it('mean after rewriting what they meant before, for generated programs', () => {
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), (statements) => {
        const code = statements.join(';\n');
        // Every name exists as a global, so that reading one is no ReferenceError on either side.
        const [rewritten, native] = evaluateBoth(code, { a: 'A', b: 'B', c: 'C', d: 'D' });
        expect(rewritten).toBe(native);
      }),
      { numRuns: 2000 },
    );
  });
});
