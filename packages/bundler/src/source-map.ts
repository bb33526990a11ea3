/**
 * Source maps of the bundle: chunks' maps joined into one, moved along with the edits made after rollup.
 *
 * M1  Mappings are rewritten, never guessed: a position maps to what rollup said about it before the edits.
 */
import type { Edit } from './free-names';

/** Version 3 source map with its text. */
export interface SourceMapJson {
  version: number;
  sources: (string | null)[];
  sourcesContent?: (string | null)[];
  names: string[];
  mappings: string;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGITS = new Uint8Array(128);
for (let i = 0; i < ALPHABET.length; i++) DIGITS[ALPHABET.charCodeAt(i)] = i;

const COMMA = ','.charCodeAt(0);
const SEMICOLON = ';'.charCodeAt(0);

function encodeVlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += ALPHABET[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}

/** Where edits move the columns of a text, line by line. */
class ColumnShifts {
  /** Line (from 0) to [column, removed, added], in order. */
  private readonly lines = new Map<number, [column: number, removed: number, added: number][]>();

  constructor(code: string, edits: readonly Edit[]) {
    let line = 0;
    let lineStart = 0;
    for (const { start, end, text } of edits) {
      for (
        let next = code.indexOf('\n', lineStart);
        next !== -1 && next < start;
        next = code.indexOf('\n', lineStart)
      ) {
        line++;
        lineStart = next + 1;
      }
      const shifts = this.lines.get(line);
      const shift: [number, number, number] = [start - lineStart, end - start, text.length];
      if (shifts === undefined) this.lines.set(line, [shift]);
      else shifts.push(shift);
    }
  }

  apply(line: number, column: number): number {
    const shifts = this.lines.get(line);
    if (shifts === undefined) return column;
    let moved = column;
    for (const [at, removed, added] of shifts) {
      if (column <= at) break;
      if (column < at + removed) return moved - (column - at) + Math.min(column - at, added);
      moved += added - removed;
    }
    return moved;
  }
}

/** Joins the maps of texts that follow each other. */
export class SourceMapJoiner {
  private readonly sources: (string | null)[] = [];
  private readonly sourcesContent: (string | null)[] = [];
  private readonly names: string[] = [];
  private mappings = '';
  private source = 0;
  private sourceLine = 0;
  private sourceColumn = 0;
  private name = 0;

  /** Lines of text that come from no source. */
  skipLines(count: number): void {
    this.mappings += ';'.repeat(count);
  }

  /**
   * Adds a text that starts at column 0 and ends with a line break.
   * @param code   before the edits
   * @param map    of `code`; undefined when nothing in it has a source
   * @param edits  made to `code`, sorted
   */
  add(code: string, map: SourceMapJson | undefined, edits: readonly Edit[]): void {
    let lineCount = 0;
    for (let at = code.indexOf('\n'); at !== -1; at = code.indexOf('\n', at + 1)) lineCount++;
    if (map === undefined) {
      this.skipLines(lineCount);
      return;
    }
    const shifts = new ColumnShifts(code, edits);
    const sourceBase = this.sources.length;
    const nameBase = this.names.length;
    for (const source of map.sources) this.sources.push(source);
    for (let i = 0; i < map.sources.length; i++) this.sourcesContent.push(map.sourcesContent?.[i] ?? null);
    for (const name of map.names) this.names.push(name);

    const { mappings } = map;
    const parts: string[] = [];
    const fields = [0, 0, 0, 0, 0];
    // State of the map that is read; that of the map that is written is in the instance.
    let column = 0;
    let source = 0;
    let sourceLine = 0;
    let sourceColumn = 0;
    let name = 0;
    let line = 0;
    let writtenColumn = 0;
    let at = 0;
    while (at < mappings.length && line < lineCount) {
      const char = mappings.charCodeAt(at);
      if (char === SEMICOLON) {
        parts.push(';');
        line++;
        column = 0;
        writtenColumn = 0;
        at++;
        continue;
      }
      if (char === COMMA) {
        parts.push(',');
        at++;
        continue;
      }
      let count = 0;
      while (at < mappings.length) {
        let digit = mappings.charCodeAt(at);
        if (digit === COMMA || digit === SEMICOLON) break;
        let value = 0;
        let bit = 0;
        do {
          digit = DIGITS[mappings.charCodeAt(at++)]!;
          value |= (digit & 31) << bit;
          bit += 5;
        } while ((digit & 32) !== 0);
        fields[count++] = (value & 1) === 1 ? -(value >>> 1) : value >>> 1;
      }
      column += fields[0]!;
      const moved = shifts.apply(line, column);
      let text = encodeVlq(moved - writtenColumn);
      writtenColumn = moved;
      if (count >= 4) {
        source += fields[1]!;
        sourceLine += fields[2]!;
        sourceColumn += fields[3]!;
        text += encodeVlq(sourceBase + source - this.source);
        text += encodeVlq(sourceLine - this.sourceLine);
        text += encodeVlq(sourceColumn - this.sourceColumn);
        this.source = sourceBase + source;
        this.sourceLine = sourceLine;
        this.sourceColumn = sourceColumn;
        if (count >= 5) {
          name += fields[4]!;
          text += encodeVlq(nameBase + name - this.name);
          this.name = nameBase + name;
        }
      }
      parts.push(text);
    }
    parts.push(';'.repeat(lineCount - line));
    this.mappings += parts.join('');
  }

  toString(): string {
    return JSON.stringify({
      version: 3,
      sources: this.sources,
      sourcesContent: this.sourcesContent,
      names: this.names,
      mappings: this.mappings,
    });
  }
}

const INLINE_PREFIX = '\n//# sourceMappingURL=data:application/json;base64,';

/** The script with its source map in a comment at its end, as Node.js, debuggers and browsers read it. */
export function inlineSourceMap(script: string, sourceMap: string): string {
  return `${script}${INLINE_PREFIX}${Buffer.from(sourceMap).toString('base64')}\n`;
}

/** Undoes inlineSourceMap; a script without a map comes back as it is. */
export function splitSourceMap(code: string): { script: string; sourceMap?: string } {
  const at = code.lastIndexOf(INLINE_PREFIX);
  if (at === -1) return { script: code };
  const encoded = code.slice(at + INLINE_PREFIX.length).trim();
  return { script: code.slice(0, at), sourceMap: Buffer.from(encoded, 'base64').toString('utf8') };
}
