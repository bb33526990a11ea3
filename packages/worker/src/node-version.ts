/**
 * Refuses a Node.js that cannot hold workflows, by name: what fails there otherwise says nothing of the version.
 *
 * Owns    the question whether this Node.js has what realms are made of.
 * Leaves  everything that needs no realm: clients and workers for activities alone run on older releases.
 */
import { constants } from 'node:vm';
import { NodeVersionError } from './errors';

/** As in `engines` of the package. */
const MINIMUM = '20.19';

/** @throws {NodeVersionError} its `vm` cannot make contexts without a way back to the host */
export function requireRealms(
  vmConstants: Partial<typeof constants> | undefined = constants,
  version: string = process.versions.node,
): void {
  if (vmConstants?.DONT_CONTEXTIFY === undefined) {
    throw new NodeVersionError(
      `workflows need Node.js ${MINIMUM} or newer; this is Node.js ${version} (${process.execPath})`,
    );
  }
}
