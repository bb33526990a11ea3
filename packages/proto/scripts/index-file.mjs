/**
 * Writes gen/index.ts: the namespaces of all packages, as types and, lazily, as values (src/namespaces.ts).
 *
 * X1  Written for a short declaration file, which was a seventh of the package: one namespace a package with its whole
 *     name in front; an alias is type and value at once, and what holds other messages is declared as both.
 */
import fs from 'node:fs';
import path from 'node:path';

/** Words that cannot name a TypeScript namespace; such packages are reached by their path. */
const RESERVED = new Set(['export']);

/** What one generated file exports: name → 'message' | 'enum' | 'service'. */
function exportsOf(source) {
  const found = new Map();
  const declaration = /^export (interface|enum|const) (\w+)(?:[: ]|$)([\s\S]*?^\})?/gm;
  for (const [, keyword, name, body] of source.matchAll(declaration)) {
    if (keyword === 'enum') found.set(name, 'enum');
    else if (keyword === 'interface') {
      const isMapEntry = name.endsWith('Entry') && /^ {2}key: /m.test(body ?? '');
      if (!isMapEntry) found.set(name, 'message');
    } else if (name.endsWith('Definition') && !found.has(name)) found.set(name, 'service');
  }
  return found;
}

/** name → { kind, alias, exportName, nested } of one file, nested names under the messages that hold them. */
function nest(names, alias) {
  const top = new Map();
  for (const [exportName, kind] of [...names].sort(([a], [b]) => a.split('_').length - b.split('_').length)) {
    let level = top;
    const parts = exportName.split('_');
    for (const part of parts.slice(0, -1)) level = level.get(part).nested;
    level.set(parts.at(-1), { kind, alias, exportName, nested: new Map() });
  }
  return top;
}

function constType({ alias, exportName, nested }) {
  const own = `typeof ${alias}.${exportName}`;
  if (nested.size === 0) return own;
  const members = [...nested].map(([name, entry]) => `readonly ${name}: ${constType(entry)}`);
  return `${own} & { ${members.join('; ')} }`;
}

const holdsOthers = ({ nested }) => nested.size > 0;

/** @param isAlias  which entries an alias stands for */
function renderTypes(entries, indent, isAlias) {
  const lines = [];
  for (const [name, entry] of entries) {
    const { kind, alias, exportName, nested } = entry;
    if (isAlias(entry)) lines.push(`${indent}export import ${name} = ${alias}.${exportName};`);
    else if (kind !== 'service') lines.push(`${indent}type ${name} = ${alias}.${exportName};`);
    // Interfaces with an "I" in front: the names that code written for protobufjs uses.
    if (kind === 'message' && !entries.has(`I${name}`)) lines.push(`${indent}type I${name} = ${name};`);
    if (nested.size > 0) {
      lines.push(`${indent}namespace ${name} {`);
      // Types alone: a namespace with values in it could not share its name with a constant.
      lines.push(...renderTypes(nested, `${indent}  `, () => false));
      lines.push(`${indent}}`);
    }
  }
  return lines;
}

/** X1 */
function renderPackage(packageName, entries) {
  const constants = [...entries].filter(([, entry]) => holdsOthers(entry));
  return [
    `export declare namespace ${packageName} {`,
    ...renderTypes(entries, '  ', (entry) => !holdsOthers(entry)),
    ...constants.map(([name, entry]) => `  const ${name}: ${constType(entry)};`),
    '}',
  ];
}

/** Package of a .proto file; well-known types that the compiler brings itself have no file, and tell by their path. */
function packageOf(protoFile, module) {
  if (!fs.existsSync(protoFile)) return path.posix.dirname(module).replaceAll('/', '.');
  return /^package ([\w.]+);/m.exec(fs.readFileSync(protoFile, 'utf8'))[1];
}

/** @returns source of the index of the files in `outDir`, generated from the .proto files in `protosDir` */
export function renderIndex(outDir, protosDir) {
  const files = fs
    .readdirSync(outDir, { recursive: true })
    .map((name) => name.split(path.sep).join('/'))
    .filter((name) => name.endsWith('.ts') && name.includes('/'))
    .sort();
  const imports = [];
  const packages = new Map();
  const entriesOf = new Map();
  for (const [index, file] of files.entries()) {
    const module = file.slice(0, -'.ts'.length);
    const packageName = packageOf(path.join(protosDir, `${module}.proto`), module);
    const names = exportsOf(fs.readFileSync(path.join(outDir, file), 'utf8'));
    if (names.size === 0) continue;
    const alias = `m${index}`;
    imports.push(`import * as ${alias} from './${module}';`);
    const contents = packages.get(packageName) ?? [];
    packages.set(packageName, contents);
    contents.push(`[() => require('./${module}'), '${[...names.keys()].join(' ')}']`);
    if (!entriesOf.has(packageName)) entriesOf.set(packageName, new Map());
    for (const [name, entry] of nest(names, alias)) entriesOf.get(packageName).set(name, entry);
  }
  const roots = new Set([...packages.keys()].map((name) => name.split('.')[0]));
  const tables = [...packages].map(
    ([name, contents]) => `  '${name}': [\n    ${contents.join(',\n    ')},\n  ],`,
  );
  return [
    '// Generated by scripts/generate.mjs; not to be edited.',
    ...imports,
    '',
    '// Generated by scripts/generate.mjs: the types above leave nothing behind for the compiler to put this line before.',
    "import { makeNamespace, type PackageContents } from './namespaces';",
    '',
    'declare const require: (path: string) => any;',
    'declare const exports: any;',
    '',
    ...[...entriesOf]
      .filter(([name]) => !name.split('.').some((part) => RESERVED.has(part)))
      .flatMap(([name, entries]) => renderPackage(name, entries)),
    '',
    'const packages: Readonly<Record<string, PackageContents>> = {',
    ...tables,
    '};',
    '',
    ...[...roots].map((name) => `exports.${name} = makeNamespace('${name}', packages);`),
    '',
  ].join('\n');
}
