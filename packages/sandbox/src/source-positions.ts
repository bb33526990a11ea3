/** Maps positions of a bundle to the user's sources, when a stack is read. */
import { SourceMap, type SourceMapPayload } from 'node:module';
import type { BundleSource } from './bundle-script';

/** @param line one-based @param column one-based @returns "source:line:column", one-based */
export type PositionMapper = (line: number, column: number) => string | undefined;

/** The map is parsed at the first position that somebody asks for: most lanes never do. */
export function positionMapper(bundle: BundleSource): PositionMapper {
  const { sourceMap } = bundle;
  if (sourceMap === undefined) return () => undefined;
  let parsed: SourceMap | null | undefined;
  return (line, column) => {
    if (parsed === undefined) {
      try {
        parsed = new SourceMap(JSON.parse(sourceMap) as SourceMapPayload);
      } catch {
        parsed = null; // a broken map costs readable positions, nothing else
      }
    }
    const entry = parsed?.findEntry(line - 1, column - 1);
    if (entry === undefined || !('originalSource' in entry)) return undefined;
    const source = String(entry.originalSource).replace(/^file:\/\//, '');
    return `${source}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  };
}
