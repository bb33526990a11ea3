/**
 * From the text of a source file to a JavaScript module that rollup can read.
 *
 * Owns    TypeScript, JSX, `using`, JSON, `process.env.NODE_ENV`, maps of code that was compiled before.
 * T1  The result depends on nothing but the arguments: it can be kept for as long as they stay the same.
 * T2  Code comes out for the oldest supported Node.js (20.19).
 */
import * as path from 'node:path';
import * as vm from 'node:vm';
import { parseAst } from 'rollup/parseAst';
import { BundleError, makeCodeFrame, positionOfOffset } from './errors';
import type { Node } from './free-names';
import { isTypeScript } from './resolver';
import type { SourceMapJson } from './source-map';
import type { SourceOptions } from './tsconfig';

// Types of an ES module in a CommonJS file need the mode spelled out.
type Transformer = typeof import('oxc-transform', { with: { 'resolution-mode': 'import' }});
type TransformOptions = NonNullable<Parameters<Transformer['transformSync']>[2]>;

export interface TransformedModule {
  readonly code: string;
  /** From `code` to the source; undefined when every position is the same in both. */
  readonly map?: SourceMapJson;
}

const TARGET = 'node20.19'; // T2

/** Whether plain JavaScript may hold syntax that the oldest Node.js does not read. */
const MAY_USE_USING = /\busing\s+[\w$]+\s*(?:=|\bof\b)/;

/**
 * @param file         absolute path
 * @param source       content of the file
 * @param options      of the tsconfig.json around it; undefined for files of dependencies
 * @param previousMap  map from `source` to what it was compiled from, as JSON
 * @throws {BundleError} BUNDLE_SYNTAX_INVALID with position and code frame
 */
export function transformModule(
  file: string,
  source: string,
  options: SourceOptions | undefined,
  previousMap?: string,
): TransformedModule {
  const extension = path.extname(file);
  if (extension === '.json') return { code: jsonModule(file, source) };
  let result: TransformedModule = { code: source };
  if (isTypeScript(file) || extension === '.jsx' || MAY_USE_USING.test(source)) {
    result = compile(file, source, options);
  } else if (previousMap !== undefined) {
    const map = readPreviousMap(file, previousMap);
    if (map !== undefined) result = { code: source, map };
  }
  const defined = defineNodeEnv(result.code);
  return defined === result.code ? result : { ...result, code: defined };
}

let transformer: Transformer | undefined;

function loadTransformer(): Transformer {
  if (transformer === undefined) {
    // An ES module behind a native binding: Node.js itself must load it, not the module system that a test runner
    // puts in its place. The main context's `process` leads there from everywhere.
    const main = vm.runInThisContext('process') as typeof process;
    transformer = main.getBuiltinModule('node:module').createRequire(__filename)(
      'oxc-transform',
    ) as Transformer;
  }
  return transformer;
}

function compile(file: string, source: string, options: SourceOptions | undefined): TransformedModule {
  const { transformSync } = loadTransformer();
  const settings: TransformOptions = { target: TARGET, sourcemap: true };
  if (/\.js$/.test(file)) settings.lang = 'jsx';
  if (options !== undefined) {
    if (options.experimentalDecorators) {
      settings.decorator = {
        legacy: true,
        emitDecoratorMetadata: options.emitDecoratorMetadata,
        strictNullChecks: options.strictNullChecks,
      };
    }
    settings.typescript = { onlyRemoveTypeImports: options.verbatimModuleSyntax };
    if (!options.useDefineForClassFields && isTypeScript(file)) {
      settings.assumptions = { setPublicClassFields: true };
      settings.typescript.removeClassFieldsWithoutInitializer = true;
    }
    if (options.jsx !== undefined) {
      settings.jsx = {
        runtime: options.jsx,
        pragma: options.jsxFactory,
        pragmaFrag: options.jsxFragmentFactory,
        importSource: options.jsxImportSource,
      };
    }
  }
  const result = transformSync(file, rewriteImportEquals(source), settings);
  const errors = result.errors.filter(({ severity }) => severity === 'Error');
  if (errors.length > 0) {
    throw new BundleError(
      'BUNDLE_SYNTAX_INVALID',
      `${file} cannot be read`,
      errors.map((error) => {
        // Labels count bytes of UTF-8.
        const start = error.labels[0]?.start ?? 0;
        const offset = Buffer.from(source).subarray(0, start).toString('utf8').length;
        const { line, column } = positionOfOffset(source, offset);
        const help = error.helpMessage === null ? '' : ` (${error.helpMessage})`;
        return {
          message: `${error.message}${help}`,
          file,
          line,
          column,
          codeFrame: makeCodeFrame(source, line, column),
        };
      }),
    );
  }
  return {
    code: result.code,
    map: result.map && { ...result.map, version: 3, sources: [file], sourcesContent: [source] },
  };
}

/**
 * `import x = require('y')` in a file with ES imports would leave a bare `require` behind; rollup treats the
 * default import of a CommonJS module alike. Files with `export =` are CommonJS as a whole and keep it.
 */
function rewriteImportEquals(source: string): string {
  if (!/\bimport\s+\w+\s*=\s*require\b/.test(source) || /^\s*export\s*=/m.test(source)) return source;
  return source.replace(
    /^(\s*import\s+)([\w$]+)\s*=\s*require\s*\(\s*(['"][^'"\n]+['"])\s*\)/gm,
    (_match, start: string, name: string, specifier: string) => `${start}${name} from ${specifier}`,
  );
}

function readPreviousMap(file: string, text: string): SourceMapJson | undefined {
  try {
    const map = JSON.parse(text) as SourceMapJson & { sourceRoot?: string };
    if (map.version !== 3 || typeof map.mappings !== 'string' || !Array.isArray(map.sources))
      return undefined;
    const root = path.resolve(path.dirname(file), map.sourceRoot ?? '');
    return {
      version: 3,
      mappings: map.mappings,
      names: map.names ?? [],
      sources: map.sources.map((source) => (source === null ? null : path.resolve(root, source))),
      sourcesContent: map.sourcesContent,
    };
  } catch {
    return undefined; // a broken map is no reason to refuse good code
  }
}

const NODE_ENV = 'process.env.NODE_ENV';

/**
 * Puts 'production' in place of `process.env.NODE_ENV`, padded to the same length so that no position moves.
 * Strings and comments are left alone.
 */
function defineNodeEnv(code: string): string {
  if (!code.includes(NODE_ENV)) return code;
  const starts = new Set<number>();
  let program: Node;
  try {
    program = parseAst(code, { allowReturnOutsideFunction: true }) as unknown as Node;
  } catch {
    return code; // rollup will say what is wrong with it, and where
  }
  const visit = (node: Node): void => {
    if (node.type === 'MemberExpression' && node.end - node.start === NODE_ENV.length) {
      if (code.startsWith(NODE_ENV, node.start)) starts.add(node.start);
      return;
    }
    if (node.type === 'AssignmentExpression') {
      if (!isNodeEnv(code, node.left)) visit(node.left);
      visit(node.right);
      return;
    }
    if (node.type === 'UpdateExpression') return;
    for (const key in node) {
      const child = node[key];
      if (typeof child !== 'object' || child === null) continue;
      if (Array.isArray(child)) {
        for (const element of child) if (typeof element?.type === 'string') visit(element);
      } else if (typeof child.type === 'string') visit(child);
    }
  };
  visit(program);
  let result = '';
  let at = 0;
  for (const start of [...starts].sort((a, b) => a - b)) {
    result += `${code.slice(at, start)}${'"production"'.padEnd(NODE_ENV.length)}`;
    at = start + NODE_ENV.length;
  }
  return result + code.slice(at);
}

function isNodeEnv(code: string, node: Node): boolean {
  return node.end - node.start === NODE_ENV.length && code.startsWith(NODE_ENV, node.start);
}

const RESERVED = new Set(
  (
    'arguments await break case catch class const continue debugger default delete do else enum eval export extends ' +
    'false finally for function if implements import in instanceof interface let new null package private protected ' +
    'public return static super switch this throw true try typeof var void while with yield'
  ).split(' '),
);

/** A JSON file as a module: the value as default, its members as named exports, so that unused ones can go. */
function jsonModule(file: string, source: string): string {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new BundleError('BUNDLE_SYNTAX_INVALID', `${file} is not valid JSON`, [
      { message: (error as Error).message, file },
    ]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `export default ${toExpression(value)};\n`;
  }
  let declarations = '';
  const members: string[] = [];
  for (const [key, member] of Object.entries(value)) {
    if (/^[A-Za-z_$][\w$]*$/.test(key) && !RESERVED.has(key)) {
      declarations += `export const ${key} = ${toExpression(member)};\n`;
      members.push(key);
    } else members.push(`[${JSON.stringify(key)}]: ${toExpression(member)}`);
  }
  return `${declarations}export default { ${members.join(', ')} };\n`;
}

function toExpression(value: unknown): string {
  // Line separators are the one difference between JSON and JavaScript strings of old; `__proto__` is the other.
  const text = JSON.stringify(value);
  return text.includes('"__proto__"') ? `JSON.parse(${JSON.stringify(text)})` : text;
}

/** The comment at the end of compiled code that names its map. */
export function sourceMapUrl(code: string): string | undefined {
  const at = code.lastIndexOf('//# sourceMappingURL=');
  return at === -1 ? undefined : /^\S+/.exec(code.slice(at + '//# sourceMappingURL='.length))?.[0];
}
