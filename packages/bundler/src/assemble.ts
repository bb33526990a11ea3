/**
 * From rollup's chunks to the one script of a bundle, in the format of @perdure/common/bundle.
 *
 * A1  The script is one expression statement, strict, and evaluating it runs no factory.
 * A2  Nothing leaves here that the finished text was not searched for: import(), import.meta, top-level await.
 */
import { SourceMap } from 'node:module';
import { BUNDLE_FORMAT } from '@perdure/common/bundle';
import type { OutputChunk } from 'rollup';
import { parseAst } from 'rollup/parseAst';
import { positionOfOffset } from './errors';
import { applyEdits, type Node, type Refusal, resolveFreeNames } from './free-names';
import { SourceMapJoiner, type SourceMapJson } from './source-map';

/** A chunk that somebody outside asks for. */
export interface BundleEntry {
  readonly role: 'workflow' | 'interceptors' | 'payloadConverter' | 'failureConverter';
  /** Workflow type, for workflows. */
  readonly type?: string;
  /** File name given to rollup. */
  readonly chunk: string;
  readonly exportName: string;
  /** Module that it comes from. */
  readonly module: string;
}

export interface AssembledBundle {
  readonly script: string;
  /** Source map of `script`, as JSON. */
  readonly sourceMap: string;
  /** What must not be in a bundle and is, by its place in the sources. */
  readonly refusals: readonly (Pick<Refusal, 'construct'> & {
    readonly source?: string;
    readonly line?: number;
    readonly column?: number;
    readonly sourceContent?: string;
  })[];
}

/** Names that rollup's CommonJS wrapper provides in a chunk. */
const CHUNK_NAMES = new Set(['exports']);

interface Prepared {
  readonly id: string;
  readonly text: string;
  /** Set when all that the chunk does is pass on what another one exports: export name → place. */
  readonly facade?: ReadonlyMap<string, { chunk: string; exportName: string }>;
}

/**
 * @param chunks      as rollup gives them, in its CommonJS format
 * @param preloaded   ids of modules that runs share
 * @param ownedByRun  names of REALM_GLOBALS that this bundle takes from the run's global object all the same
 * @param preludes    chunks that an entry evaluates before its own, in order; by file name
 */
export function assembleBundle(
  chunks: readonly OutputChunk[],
  entries: readonly BundleEntry[],
  preloaded: ReadonlySet<string>,
  ownedByRun: ReadonlySet<string>,
  preludes: ReadonlyMap<string, readonly string[]> = new Map(),
): AssembledBundle {
  const ordered = [...chunks].sort((a, b) => (a.fileName < b.fileName ? -1 : 1));
  const refusals: AssembledBundle['refusals'][number][] = [];
  const prepared = new Map<string, Prepared>();
  const parsed = ordered.map((chunk) => {
    const program = parseAst(chunk.code) as unknown as Node;
    const headers = requireHeaders(program, chunk);
    const result = resolveFreeNames(program, CHUNK_NAMES, headers.positions, ownedByRun);
    for (const refusal of result.refusals) refusals.push(locate(refusal, chunk)); // A2
    prepared.set(chunk.fileName, {
      id: chunkId(chunk.fileName),
      text: applyEdits(chunk.code, result.edits),
      facade: preludes.has(chunk.fileName) ? undefined : readFacade(program, headers),
    });
    return { chunk, edits: result.edits };
  });

  /** Where an entry's export really is, past chunks that only pass it on. */
  const place = (fileName: string, exportName: string): { chunk: string; exportName: string } => {
    const next = prepared.get(fileName)?.facade?.get(exportName);
    return next === undefined ? { chunk: fileName, exportName } : place(next.chunk, next.exportName);
  };
  const places = entries.map((entry) => ({ entry, ...place(entry.chunk, entry.exportName) }));
  const entryFiles = new Set(entries.map((entry) => entry.chunk));
  const keptFiles = new Set(places.map(({ chunk }) => chunk));
  // Extras are read by a fixed export name, so their facades stay.
  for (const { entry } of places) if (entry.role !== 'workflow') keptFiles.add(entry.chunk);
  for (const { chunk } of parsed) {
    if (!entryFiles.has(chunk.fileName) && chunk.fileName !== 'none') keptFiles.add(chunk.fileName);
    for (const imported of chunk.imports) if (prepared.has(imported)) keptFiles.add(imported);
  }

  const workflows = places
    .filter(({ entry }) => entry.role === 'workflow')
    .map(({ entry, chunk, exportName }) => [entry.type, chunkId(chunk), exportName]);
  const only = (role: BundleEntry['role']) =>
    entries.filter((entry) => entry.role === role).map((entry) => chunkId(entry.chunk));
  const shared = parsed
    .filter(({ chunk }) => Object.keys(chunk.modules).some((id) => preloaded.has(id)))
    .map(({ chunk }) => chunkId(chunk.fileName));

  const joiner = new SourceMapJoiner();
  const head =
    '(function(){"use strict";return{' +
    `format:${BUNDLE_FORMAT},` +
    `workflows:${JSON.stringify(workflows)},` +
    `interceptors:${JSON.stringify(only('interceptors'))},` +
    only('payloadConverter')
      .map((id) => `payloadConverter:${JSON.stringify(id)},`)
      .join('') +
    only('failureConverter')
      .map((id) => `failureConverter:${JSON.stringify(id)},`)
      .join('') +
    `shared:${JSON.stringify(shared)},` +
    'chunks:[\n';
  let script = head;
  joiner.skipLines(1);
  for (const { chunk, edits } of parsed) {
    if (!keptFiles.has(chunk.fileName)) continue;
    const { id, text } = prepared.get(chunk.fileName)!;
    script += `[${JSON.stringify(id)},function(globalThis,require,exports){\n`;
    joiner.skipLines(1);
    const prelude = preludes.get(chunk.fileName) ?? [];
    if (prelude.length > 0) {
      script += `${prelude.map((name) => `require(${JSON.stringify(chunkId(name))});`).join('')}\n`;
      joiner.skipLines(1);
    }
    const end = text.endsWith('\n') ? '' : '\n';
    script += text + end;
    joiner.add(chunk.code + end, (chunk.map as SourceMapJson | null) ?? undefined, edits);
    script += '}],\n';
    joiner.skipLines(1);
  }
  script += ']}})()'; // A1
  return { script, sourceMap: joiner.toString(), refusals };
}

/** Ids of chunks cannot be taken for specifiers of host modules. */
function chunkId(fileName: string): string {
  return `./${fileName}`;
}

interface Headers {
  /** Starts of the `require` identifiers that rollup wrote. */
  readonly positions: ReadonlySet<number>;
  /** Variable to what it was required from. */
  readonly variables: ReadonlyMap<string, string>;
  readonly count: number;
}

/** The requires that rollup put at the head of a chunk, told from a free `require` of user code. */
function requireHeaders(program: Node, chunk: OutputChunk): Headers {
  const known = new Set([...chunk.imports.map(chunkId), ...chunk.imports]);
  const positions = new Set<number>();
  const variables = new Map<string, string>();
  const read = (node: Node | null): string | undefined => {
    if (
      node?.type !== 'CallExpression' ||
      node.callee.type !== 'Identifier' ||
      node.callee.name !== 'require'
    ) {
      return undefined;
    }
    const argument = node.arguments[0];
    if (node.arguments.length !== 1 || argument.type !== 'Literal' || !known.has(argument.value))
      return undefined;
    positions.add(node.callee.start);
    return argument.value;
  };
  for (const statement of program.body as Node[]) {
    if (statement.type === 'ExpressionStatement') read(statement.expression);
    else if (statement.type === 'VariableDeclaration') {
      for (const declarator of statement.declarations) {
        const from = read(declarator.init);
        if (from !== undefined) variables.set(declarator.id.name, from);
      }
    }
  }
  return { positions, variables, count: positions.size };
}

/** Reads `const a = require('./a'); exports.x = a.y;`, and nothing else. */
function readFacade(program: Node, headers: Headers): Prepared['facade'] {
  if (headers.count !== 1 || headers.variables.size !== 1) return undefined;
  const exports = new Map<string, { chunk: string; exportName: string }>();
  for (const statement of program.body as Node[]) {
    if (statement.type === 'VariableDeclaration') {
      if (statement.declarations.length !== 1) return undefined;
      if (!headers.positions.has(statement.declarations[0].init?.callee?.start)) return undefined;
      continue;
    }
    const assignment = statement.type === 'ExpressionStatement' ? statement.expression : undefined;
    if (assignment?.type !== 'AssignmentExpression' || assignment.operator !== '=') return undefined;
    const { left, right } = assignment;
    if (left.type !== 'MemberExpression' || left.object.name !== 'exports' || left.computed) return undefined;
    if (right.type !== 'MemberExpression' || right.object.type !== 'Identifier' || right.computed)
      return undefined;
    const from = headers.variables.get(right.object.name);
    if (from === undefined || !from.startsWith('./')) return undefined;
    exports.set(left.property.name, { chunk: from.slice(2), exportName: right.property.name });
  }
  return exports;
}

function locate(refusal: Refusal, chunk: OutputChunk): AssembledBundle['refusals'][number] {
  const { construct } = refusal;
  const { line, column } = positionOfOffset(chunk.code, refusal.start);
  if (chunk.map === null) return { construct };
  const map = JSON.parse(chunk.map.toString()) as SourceMapJson;
  const entry = new SourceMap(map as never).findEntry(line - 1, column - 1) as {
    originalSource?: string;
    originalLine?: number;
    originalColumn?: number;
  };
  if (entry.originalSource === undefined) return { construct };
  const index = map.sources.indexOf(entry.originalSource);
  return {
    construct,
    source: entry.originalSource,
    line: (entry.originalLine ?? 0) + 1,
    column: (entry.originalColumn ?? 0) + 1,
    ...(typeof map.sourcesContent?.[index] === 'string' && { sourceContent: map.sourcesContent[index] }),
  };
}
