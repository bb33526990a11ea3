/**
 * Generates packages/proto/gen: TypeScript for every message that Perdure speaks.
 *
 * In      the .proto files of the `temporalio-protos` crate that Cargo.lock names, and this repository's proto/.
 * Out     gen/ (never committed, never edited), one file per .proto, plus index.ts and copies of src/.
 * G1  The stamp holds a hash of everything that decides the output; equal stamp, nothing is done.
 * G2  gen/ is replaced as a whole: a failed run leaves the old one, without its stamp.
 */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { finish } from './finish.mjs';
import { renderIndex } from './index-file.mjs';
import { dropUnusedConversions, tabulate } from './tables.mjs';

const require = createRequire(import.meta.url);
const packageDir = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const rootDir = path.dirname(path.dirname(packageDir));
const genDir = path.join(packageDir, 'gen');
const workDir = path.join(packageDir, 'gen.tmp', String(process.pid));
const stampFile = path.join(genDir, '.stamp.json');
const ownProtoDir = path.join(rootDir, 'proto');
const CRATE = 'temporalio-protos';

/** Folders of the crate that become include roots, with the place where their files go. */
const INCLUDES = [
  ['api_upstream/temporal', 'temporal'],
  ['api_upstream/google', 'google'],
  ['api_upstream/nexusannotations', 'nexusannotations'],
  ['testsrv_upstream/temporal', 'temporal'],
  ['local/temporal', 'temporal'],
  ['google', 'google'],
  ['grpc', 'grpc'],
  ['protoc-gen-openapiv2', 'protoc-gen-openapiv2'],
];

const OPTIONS = [
  'forceLong=long',
  'esModuleInterop=true',
  'useDate=false',
  'useOptionals=all',
  'unrecognizedEnum=false',
  'exportCommonSymbols=false',
  'outputPartialMethods=false',
  'outputServices=generic-definitions',
  'comments=false',
  'annotateFilesWithVersion=false',
];

/** Public messages also have JSON methods (histories come as JSON); the inner protocols do without. */
const PASSES = [
  {
    paths: ['temporal/api', 'google/protobuf', 'google/rpc', 'google/api', 'grpc'],
    options: OPTIONS,
  },
  { paths: ['temporal/sdk/core', 'perdure'], options: [...OPTIONS, 'outputJsonMethods=false'] },
];

const ownScripts = ['generate.mjs', 'finish.mjs', 'tables.mjs', 'index-file.mjs'].map((name) =>
  path.join(packageDir, 'scripts', name),
);

function filesOf(dir, extension) {
  return fs
    .readdirSync(dir, { recursive: true })
    .filter((name) => name.endsWith(extension))
    .map((name) => name.split(path.sep).join('/'))
    .sort();
}

/** Name, version and checksum of the crate as Cargo.lock pins it: published crates never change (G1). */
function lockedCrate() {
  const lock = fs.readFileSync(path.join(rootDir, 'Cargo.lock'), 'utf8');
  const entry = lock.split('[[package]]').find((block) => block.includes(`name = "${CRATE}"`));
  if (entry === undefined) throw new Error(`Cargo.lock names no ${CRATE} crate`);
  return entry.trim();
}

function handWrittenSources() {
  return filesOf(path.join(packageDir, 'src'), '.ts').filter((name) => !name.endsWith('.test.ts'));
}

function currentStamp() {
  const hash = createHash('sha256');
  const add = (name, content) => hash.update(`${name}\0${content.length}\0`).update(content);
  add('crate', lockedCrate());
  for (const file of ownScripts) add(path.basename(file), fs.readFileSync(file));
  for (const name of filesOf(ownProtoDir, '.proto')) add(name, fs.readFileSync(path.join(ownProtoDir, name)));
  for (const name of handWrittenSources()) add(name, fs.readFileSync(path.join(packageDir, 'src', name)));
  for (const tool of ['ts-proto', '@bufbuild/buf']) {
    add(tool, require(path.join(rootDir, 'node_modules', tool, 'package.json')).version);
  }
  return hash.digest('hex');
}

function isUpToDate(stamp) {
  try {
    const last = JSON.parse(fs.readFileSync(stampFile, 'utf8'));
    return last.stamp === stamp && last.files === filesOf(genDir, '.ts').length;
  } catch {
    return false;
  }
}

/** Folder of the crate's .proto files, fetched by cargo when it is not there yet. */
function crateProtosDir() {
  let output;
  try {
    output = execFileSync('cargo', ['metadata', '--format-version', '1', '--locked'], {
      cwd: rootDir,
      encoding: 'utf8',
      maxBuffer: 256 << 20,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch (error) {
    if (error.code === 'ENOENT') {
      throw new Error(
        'cargo was not found. The .proto files come from the crate ' +
          `${CRATE}, so generating them needs a Rust toolchain (https://rustup.rs) on PATH.`,
      );
    }
    throw new Error(
      `cargo metadata failed, so the .proto files of ${CRATE} cannot be found.\n` +
        `If crates have not been downloaded yet, run "cargo fetch --locked" with network access.\n${error.stderr ?? error}`,
    );
  }
  const found = JSON.parse(output).packages.filter(({ name }) => name === CRATE);
  if (found.length !== 1) throw new Error(`expected one ${CRATE} crate, cargo names ${found.length}`);
  return path.join(path.dirname(found[0].manifest_path), 'protos');
}

/** Lays all .proto files out under one root, as their imports name them. */
function stage(stageDir) {
  const protosDir = crateProtosDir();
  for (const [from, to] of INCLUDES) {
    for (const name of filesOf(path.join(protosDir, from), '.proto')) {
      const target = path.join(stageDir, to, name);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.copyFileSync(path.join(protosDir, from, name), target);
    }
  }
  for (const name of filesOf(ownProtoDir, '.proto')) {
    const target = path.join(stageDir, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(ownProtoDir, name), target);
  }
}

async function runPass({ paths, options }, index, outDir) {
  const template = {
    version: 'v2',
    inputs: [{ directory: '.', paths: paths.map((each) => `protos/${each}`) }],
    plugins: [
      {
        local: [process.execPath, require.resolve('ts-proto/protoc-gen-ts_proto')],
        out: outDir,
        strategy: 'all',
        opt: options,
      },
    ],
  };
  const templateFile = path.join(workDir, `pass-${index}.json`);
  fs.writeFileSync(templateFile, JSON.stringify(template));
  await promisify(execFile)(
    process.execPath,
    [require.resolve('@bufbuild/buf/bin/buf'), 'generate', '--template', templateFile],
    { cwd: workDir },
  );
}

/** G2. Several builds may run at once: whoever comes last wins, with the same result. */
function replaceGen(outDir) {
  for (let attempt = 1; ; attempt++) {
    fs.rmSync(genDir, { recursive: true, force: true });
    try {
      fs.renameSync(outDir, genDir);
      return;
    } catch (error) {
      if (attempt === 5 || (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST')) throw error;
    }
  }
}

async function generate(stamp) {
  const stageDir = path.join(workDir, 'protos');
  const outDir = path.join(workDir, 'out');
  fs.rmSync(workDir, { recursive: true, force: true });
  fs.mkdirSync(stageDir, { recursive: true });
  stage(stageDir);
  fs.writeFileSync(
    path.join(workDir, 'buf.yaml'),
    JSON.stringify({ version: 'v2', modules: [{ path: 'protos' }] }),
  );
  const generated = new Map();
  await Promise.all(
    PASSES.map(async (pass, index) => {
      const passDir = path.join(workDir, `pass-${index}`);
      await runPass(pass, index, passDir);
      // A pass also writes what its files import; each file is taken from the pass that names it.
      for (const name of filesOf(passDir, '.ts')) {
        if (!pass.paths.some((each) => name.startsWith(`${each}/`))) continue;
        const finished = finish(fs.readFileSync(path.join(passDir, name), 'utf8'), name);
        generated.set(name, tabulate(finished, name));
      }
    }),
  );
  dropUnusedConversions(generated);
  for (const [name, text] of generated) {
    const target = path.join(outDir, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }
  for (const name of handWrittenSources()) {
    const target = path.join(outDir, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(packageDir, 'src', name), target);
  }
  fs.writeFileSync(path.join(outDir, 'index.ts'), renderIndex(outDir, stageDir));
  const files = filesOf(outDir, '.ts').length;
  fs.writeFileSync(path.join(outDir, '.stamp.json'), JSON.stringify({ stamp, files }));
  replaceGen(outDir);
}

const stamp = currentStamp();
if (!isUpToDate(stamp)) {
  try {
    await generate(stamp);
  } catch (error) {
    process.stderr.write(`packages/proto: ${error.message}\n${error.stderr ?? ''}`);
    process.exitCode = 1;
  } finally {
    fs.rmSync(workDir, { recursive: true, force: true });
    try {
      fs.rmdirSync(path.dirname(workDir));
    } catch {
      // another build is at work there
    }
  }
}
