/**
 * Where packages are when Yarn runs without node_modules (Plug'n'Play).
 *
 * Owns    the questions to Yarn's own API, which Yarn puts into every process that it starts.
 * Leaves  reading: Yarn makes `fs` see into its archives.
 */
import { createRequire } from 'node:module';
import * as path from 'node:path';

export interface PackageLocation {
  /** The package's folder. */
  readonly root: string;
  /** The file that decided so; it changes with every installation. */
  readonly decidedBy: string;
}

/** @returns undefined when nobody knows the package */
export type LocatePackage = (name: string, directory: string) => PackageLocation | undefined;

interface PnpApi {
  /** @throws the package is not among the dependencies of the one that asks */
  resolveToUnqualified(request: string, issuer: string): string | null;
}

/** Asks the installation that governs `directory`; knows nothing outside of Plug'n'Play. */
export const locateByPlugAndPlay: LocatePackage = (name, directory) => {
  if (process.versions.pnp === undefined) return undefined;
  const issuer = path.join(directory, 'issuer.js');
  try {
    const fromThere = createRequire(issuer);
    const root = (fromThere('pnpapi') as PnpApi).resolveToUnqualified(name, issuer);
    return root === null ? undefined : { root, decidedBy: fromThere.resolve('pnpapi') };
  } catch {
    return undefined; // not a dependency, or a folder that no installation governs
  }
};
