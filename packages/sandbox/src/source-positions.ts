/** Maps positions of a bundle to the user's sources, when a stack is read. */
import { SourceMap, type SourceMapPayload } from 'node:module';
import type { BundleSource } from './bundle-script';

export interface PositionMapper {
  /** @param line one-based @param column one-based @returns "source:line:column", one-based */
  (line: number, column: number): string | undefined;
  /** Text of a source by its name in positions, if the map has it. */
  sourceText?(source: string): string | undefined;
}

/** The map is parsed at the first position that somebody asks for: most lanes never do. */
export function positionMapper(bundle: BundleSource): PositionMapper {
  const { sourceMap } = bundle;
  if (sourceMap === undefined) return () => undefined;
  let parsed: SourceMap | null | undefined;
  const map = () => {
    if (parsed === undefined) {
      try {
        parsed = new SourceMap(JSON.parse(sourceMap) as SourceMapPayload);
      } catch {
        parsed = null; // a broken map costs readable positions, nothing else
      }
    }
    return parsed;
  };
  const mapper: PositionMapper = (line, column) => {
    const entry = map()?.findEntry(line - 1, column - 1);
    if (entry === undefined || !('originalSource' in entry)) return undefined;
    return `${nameOf(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  };
  mapper.sourceText = (source) => {
    const { sources = [], sourcesContent } = map()?.payload ?? {};
    const index = sources.findIndex((each) => nameOf(each) === source);
    return (sourcesContent as (string | null)[] | undefined)?.[index] ?? undefined;
  };
  return mapper;
}

function nameOf(source: string): string {
  return String(source).replace(/^file:\/\//, '');
}
