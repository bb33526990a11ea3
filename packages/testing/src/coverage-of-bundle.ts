/**
 * Counts of a bundle as coverage tools can read them without knowing what a bundle is.
 *
 * B1  Sources that are not the user's (libraries, what the bundler has made up) are left out of the map.
 * B2  Code of the user's that tree shaking has left out has not run. Tools cannot know that: what has no counts counts
 *     as covered for them. So the code that they are given ends with a line for each such line, with a count of 0.
 * B3  Tree shaking is looked for by whole statements at the top level of a source, as one that begins in the first
 *     column; types, imports and re-exports are no code.
 */
import { fileURLToPath } from 'node:url';
import { decodeMappings, encodeMappings, type Segment } from './source-map-text';

/** What a lane has counted of a bundle. */
export interface CountedBundle {
  readonly code: string;
  readonly hash: string;
  readonly sourceMap?: string;
  readonly functions: readonly CountedFunction[];
}

interface CountedFunction {
  readonly functionName: string;
  readonly ranges: readonly {
    readonly startOffset: number;
    readonly endOffset: number;
    readonly count: number;
  }[];
  readonly isBlockCoverage: boolean;
}

export interface SourceMapJson {
  readonly version: number;
  readonly sources: string[];
  readonly sourcesContent: (string | null)[];
  readonly names: string[];
  readonly mappings: string;
}

export interface ReadableBundle {
  readonly code: string;
  readonly map: SourceMapJson;
  readonly functions: readonly CountedFunction[];
}

const readable = new Map<string, Omit<ReadableBundle, 'functions'> & { shaken: CountedFunction[] }>();

/** Undefined where nothing of the bundle is the user's. */
export function readableBundle(counted: CountedBundle): ReadableBundle | undefined {
  let made = readable.get(counted.hash);
  if (made === undefined) {
    made = make(counted.code, JSON.parse(counted.sourceMap!));
    readable.set(counted.hash, made);
  }
  const { code, map, shaken } = made;
  return map.sources.length === 0 ? undefined : { code, map, functions: [...counted.functions, ...shaken] };
}

function make(bundled: string, map: SourceMapJson) {
  const paths = map.sources.map((source) => (source.startsWith('file:') ? fileURLToPath(source) : source));
  const kept = paths.flatMap((path, index) =>
    isForeign(path) || typeof map.sourcesContent?.[index] !== 'string' ? [] : [index],
  );
  const lines = decodeMappings(map.mappings).map((segments) =>
    segments.map((segment): Segment => {
      if (segment.length === 1) return segment;
      const source = kept.indexOf(segment[1]);
      return source === -1 ? [segment[0]] : [segment[0], source, segment[2], segment[3]]; // B1
    }),
  );
  const used: Set<number>[] = kept.map(() => new Set());
  for (const segment of lines.flat()) if (segment.length > 1) used[segment[1]!]!.add(segment[2]!);

  // B2
  let code = bundled.trimEnd();
  lines.length = code.split('\n').length;
  for (let index = 0; index < lines.length; index++) lines[index] ??= [];
  const shaken: CountedFunction[] = [];
  const contents = kept.map((index) => map.sourcesContent[index]!);
  for (const [source, content] of contents.entries()) {
    for (const { first, last, name } of statementsOf(content)) {
      const range = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
      if (range.some((line) => used[source]!.has(line))) continue;
      for (const line of range) {
        const startOffset = code.length + 1;
        code += '\n//shaken';
        lines.push([[0, source, line, 0]]);
        shaken.push({
          functionName: line === first ? name : '', // one function for the reports, every line for the lines
          ranges: [{ startOffset, endOffset: code.length, count: 0 }],
          isBlockCoverage: false,
        });
      }
    }
  }
  const cleaned: SourceMapJson = {
    version: 3,
    sources: kept.map((index) => paths[index]!),
    sourcesContent: contents,
    names: [],
    mappings: encodeMappings(lines),
  };
  return { code, map: cleaned, shaken };
}

interface Statement {
  /** Lines, from 0. */
  readonly first: number;
  readonly last: number;
  /** Of a function; else empty. */
  readonly name: string;
}

const NO_CODE =
  /^(import\b(?!\s*\()|export\s*(\{|\*|type\b|interface\b|declare\b)|(export\s+)?(default\s+)?(type\s+[\w$]|interface\b|declare\b)|['"]use )/;
const FUNCTION = /^(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s*([\w$]+)/;

/** B3: the statements of a source that are code. */
export function statementsOf(content: string): Statement[] {
  const lines = content.split('\n');
  const begins: number[] = [];
  let comment = false;
  for (const [index, line] of lines.entries()) {
    if (comment) {
      comment = !line.includes('*/');
      continue;
    }
    if (/^\s*\/\*/.test(line)) {
      comment = !line.includes('*/');
      continue;
    }
    if (/^[^\s}\])/]/.test(line)) begins.push(index);
  }
  return begins.flatMap((first, index) => {
    const text = lines[first]!;
    if (NO_CODE.test(text)) return [];
    let last = (begins[index + 1] ?? lines.length) - 1;
    // Comments and empty lines in between belong to nobody.
    while (last > first && /^\s*($|\/\/|\/?\*)/.test(lines[last]!)) last -= 1;
    const name = FUNCTION.exec(text)?.[1];
    const whole = lines.slice(first, last + 1).join('\n');
    if (name !== undefined && !/\{[\s\S]*\}\s*;?\s*$/.test(whole)) return []; // a signature of an overload
    return [{ first, last, name: name ?? '' }];
  });
}

/** Libraries, and what the bundler has made up. */
function isForeign(path: string): boolean {
  return /[\\/]node_modules[\\/]|\0/.test(path) || !/[\\/]/.test(path);
}
