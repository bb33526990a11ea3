// Bundles runtime, authoring API, common and the messages they need into lib/realm.js: one classic script in strict
// mode whose completion value is `(host: RuntimeHost) => RuntimeParts` (src/runtime/host.ts). It needs no name that
// the language does not define: no Buffer, process, require, TextEncoder.
//
// The input is what tsc has emitted; tsc is asked once more for ES modules, so that rollup drops what is not used.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import commonjs from '@rollup/plugin-commonjs';
import nodeResolve from '@rollup/plugin-node-resolve';
import { rollup } from 'rollup';

const here = dirname(fileURLToPath(import.meta.url));
const packageDir = resolve(here, '..');
const stageDir = join(packageDir, 'lib', '.realm');
const output = join(packageDir, 'lib', 'realm.js');

/** Packages whose sources go in, with the folders their `lib` is made from. */
const SOURCES = { proto: ['src', 'gen'], common: ['src'], workflow: ['src'] };

emitModules();
const code = await bundle();
writeFileSync(output, code);
rmSync(stageDir, { recursive: true, force: true });
if (process.argv.includes('--size'))
  console.log(`${relative(packageDir, output)}: ${statSync(output).size} bytes`);

function emitModules() {
  rmSync(stageDir, { recursive: true, force: true });
  const require = createRequire(import.meta.url);
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', join(packageDir, 'tsconfig.realm.json')], { stdio: 'inherit' });
}

async function bundle() {
  const build = await rollup({
    input: join(stageDir, 'workflow/src/runtime/realm-entry.js'),
    plugins: [stagedModules(), nodeResolve(), commonjs()],
    treeshake: { moduleSideEffects: (id) => !id.includes(`${sep}proto${sep}gen${sep}`) },
    onwarn(warning) {
      if (warning.code === 'CIRCULAR_DEPENDENCY') return; // features refer to each other; nothing runs at load
      throw new Error(`${warning.code}: ${warning.message}`);
    },
  });
  const { output } = await build.generate({
    format: 'iife',
    name: 'perdureRuntime',
    exports: 'default',
    compact: false,
  });
  await build.close();
  const prefix = 'var perdureRuntime = ';
  const [chunk] = output;
  if (!chunk.code.startsWith(prefix))
    throw new Error(`the bundle does not begin with ${JSON.stringify(prefix)}`);
  return chunk.code.slice(prefix.length); // without the declaration the script's completion value is the function
}

/** Leads imports of our packages, and relative ones between `src` and `gen`, to what tsc has emitted. */
function stagedModules() {
  return {
    name: 'staged-modules',
    resolveId(source, importer) {
      const own = /^@perdure\/(\w+)(?:\/(?:lib\/)?(.*))?$/.exec(source);
      if (own) return staged(own[1], own[2] ?? 'index');
      if (source.startsWith('.') && importer?.startsWith(stageDir)) {
        const [name, , ...folders] = relative(stageDir, dirname(importer)).split(sep);
        return staged(name, join(...folders, source)) ?? staged(name, join(...folders, source, 'index'));
      }
      return null;
    },
  };
}

function staged(name, path) {
  for (const folder of SOURCES[name] ?? []) {
    for (const candidate of [`${path}.js`, join(path, 'index.js')]) {
      const file = join(stageDir, name, folder, candidate);
      if (existsSync(file)) return file;
    }
  }
  return null;
}
