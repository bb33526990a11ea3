/**
 * `npm run check`: everything that can be said about the sources without running them.
 * Each check prints one line; all of them run, even when one fails.
 */
import { must, run } from './tools/exec.mjs';
import { packageBin } from './tools/paths.mjs';
import { build, checkNode, installDependencies, requireCargo } from './tools/setup.mjs';
import { Tally } from './tools/tally.mjs';

checkNode();
await installDependencies();
await build();

const { checkLayers } = await import('./checks/layers.mjs');
const { checkErrorPages, checkLinks, checkReadmes } = await import('./checks/docs.mjs');
const { checkFragments } = await import('./checks/fragments.mjs');
const { checkPlatforms, checkWorkflows } = await import('./checks/workflows.mjs');
const { checkLock } = await import('./checks/lock.mjs');
const { typeProjects } = await import('./tools/projects.mjs');

const tally = new Tally('checks');

await tally.check('format and lint (biome)', () =>
  quiet(process.execPath, packageBin('@biomejs/biome'), 'ci', '--colors=off', '.'),
);
await tally.check('types (tsc)', async () => {
  const projects = typeProjects();
  await quiet(process.execPath, packageBin('typescript', 'tsc'), '-b', ...projects);
  return `${projects.length} projects`;
});
await tally.check('layer rule', checkLayers);
await tally.check('links in documents', checkLinks);
await tally.check('code in documents', checkFragments);
await tally.check('error codes and their pages', checkErrorPages);
await tally.check('READMEs', checkReadmes);
await tally.check('CI workflows (actionlint)', checkWorkflows);
await tally.check('platforms of the addon', checkPlatforms);
await tally.check('package-lock.json matches the package.json files', checkLock);
await tally.check('Rust format (cargo fmt)', () => quiet('cargo', 'fmt', '--all', '--check'));
await tally.check('Rust lint (cargo clippy)', async () => {
  await requireCargo();
  await component('clippy');
  await quiet(
    'cargo',
    'clippy',
    '--release',
    '--workspace',
    '--all-targets',
    '--locked',
    '--',
    '-D',
    'warnings',
  );
});

tally.end();

/** Shows the command's output only when it fails. */
async function quiet(...command) {
  await must(command, { quiet: true });
}

async function component(name) {
  const { code, output } = await run(['cargo', name, '--version'], { quiet: true });
  if (code !== 0) throw new Error(`cargo ${name} is missing (rustup component add ${name}):\n${output}`);
}
