/**
 * The code that documents show is compiled, as a reader would who copies it: strictly, against the packages as built.
 *
 * F1  Every TypeScript and JavaScript fragment of README.md, ARCHITECTURE.md, docs/ and the packages' READMEs takes part.
 * F2  What a fragment uses it declares or imports, but for the names listed here for its document: everything else that
 *     is not there is a mistake of the document.
 * F3  A fragment that says whose file it is ("`src/activities.ts`" before it, "// workflows.ts" in it) is that file for
 *     the other fragments of its document.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../tools/exec.mjs';
import { packageBin, root } from '../tools/paths.mjs';
import { read, sourceFiles } from './files.mjs';

const DOCUMENTS = /^(README|ARCHITECTURE|CONTRIBUTING|docs\/.*|packages\/[^/]+\/README)\.md$/;

const connection = `declare const connection: import('@perdure/worker').NativeConnection;`;
const handle = `declare const handle: import('@perdure/client').WorkflowHandle;`;
const client = `declare const client: import('@perdure/client').Client;`;
const taskQueue = `declare const taskQueue: string;`;
const activities = `declare const activities: Record<string, (...args: unknown[]) => Promise<unknown>>;`;
const greetings = `export async function greet(name: string): Promise<string> { return name; }`;
const from = (pkg, ...names) =>
  Object.fromEntries(names.map((name) => [name, `import { ${name} } from '@perdure/${pkg}';`]));

/**
 * F2: by document, what it leaves to the reader's imagination.
 * `names`: a declaration for each name, added where a fragment uses it and does not declare it.
 * `files`: modules that fragments import and the document does not show.
 */
const IMAGINED = {
  'README.md': { files: { 'activities.ts': greetings } },
  'docs/activities.md': {
    names: {
      ...from('activity', 'activityInfo', 'heartbeat', 'cancellationSignal', 'CompleteAsyncError'),
      ...from('common', 'ApplicationFailure', 'ApplicationFailureCategory'),
      ...from('worker', 'Worker'),
      connection,
      taskQueue,
      client,
      activities: `declare const activities: { charge(orderId: string, cents: number): Promise<string> };`,
      db: `declare const db: Database;`,
      Database: `interface Database { nameOf(id: string): Promise<string> }`,
      rowsOf: `declare function rowsOf(file: string, from: number): AsyncIterable<unknown[]>;`,
      store: `declare function store(batch: unknown[], options: { signal: AbortSignal }): Promise<void>;`,
      post: `declare function post(question: string, options: { replyTo: string }): Promise<void>;`,
      orderId: `declare const orderId: string;`,
      token: `declare const token: string;`,
      workflowId: `declare const workflowId: string;`,
      activityId: `declare const activityId: string;`,
    },
  },
  'docs/errors/README.md': { names: { handle } },
  'docs/errors/WORKFLOW_CROSS_NAMESPACE.md': {
    names: {
      connection,
      taskQueue,
      activities,
      workflowsPath: `declare const workflowsPath: string;`,
      amount: `declare const amount: number;`,
    },
  },
  'docs/migrating.md': { names: { json: `declare const json: unknown;` } },
  'packages/sessions/README.md': {
    names: { ...from('worker', 'Worker'), connection, activities },
    files: {
      'activities.ts': `export declare function download(url: string): Promise<string>;
        export declare function transcode(file: string): Promise<string>;
        export declare function upload(file: string): Promise<string>;`,
    },
  },
  'packages/worker/README.md': {
    names: {
      ...from('worker', 'Worker', 'Runtime'),
      ...Object.fromEntries(
        [
          'CustomSlotSupplier',
          'ActivitySlotInfo',
          'SlotReserveContext',
          'SlotPermit',
          'SlotMarkUsedContext',
          'SlotReleaseContext',
        ].map((name) => [name, `import type { ${name} } from '@perdure/worker';`]),
      ),
      activities,
      takeFromBudget: `declare function takeFromBudget(signal: AbortSignal): Promise<SlotPermit>;`,
      takeFromBudgetNow: `declare function takeFromBudgetNow(): SlotPermit | null;`,
      giveBack: `declare function giveBack(permit: SlotPermit): void;`,
    },
  },
};

const OPTIONS = {
  target: 'es2022',
  lib: ['es2023', 'esnext.disposable'],
  module: 'preserve', // a reader's project may be of either kind
  moduleResolution: 'bundler',
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ['node'],
};

/** JavaScript says no types, and a number goes where `Long` is declared; names, members and their absence count. */
const IN_JAVASCRIPT = /error TS(?:1\d\d\d|2304|2305|2307|2339|2353|2551|2552|2561|2724|2739|2740|2741):/;

/**
 * @param {string} markdown
 * @returns {{ language: 'ts' | 'js', code: string, line: number, file?: string }[]} `line`: of the first line of code,
 *   from 1; `file`: F3
 */
export function fragmentsOf(markdown) {
  const fragments = [];
  for (const match of markdown.matchAll(/^( *)```(ts|js|typescript|javascript)\n([\s\S]*?)^\1```/gm)) {
    const [, indent, language, body] = match;
    const before = markdown.slice(0, match.index);
    const paragraph = before.trimEnd().split('\n\n').at(-1);
    const code = body.replace(new RegExp(`^${indent}`, 'gm'), '');
    const named =
      /^`src\/([\w.-]+\.ts)`/.exec(paragraph)?.[1] ??
      /^\/\/ ([\w-]+\.ts)(?:$|:)/m.exec(code.split('\n')[0])?.[1];
    fragments.push({
      language: language.startsWith('t') ? 'ts' : 'js',
      code,
      line: before.split('\n').length + 1,
      ...(named && { file: named }),
    });
  }
  return fragments;
}

/** Whether code declares or imports a name by itself. */
export function declares(code, name) {
  return (
    new RegExp(
      `\\b(?:const|let|var|class|function|type|interface)\\s+(?:${name}\\b|[{[][^}\\]]*\\b${name}\\b)`,
    ).test(code) || new RegExp(`\\bimport\\b[^;]*\\b${name}\\b[^;]*\\bfrom\\b`).test(code)
  );
}

/** F2: the declarations that a fragment lacks, and those that they need in turn; after the code, so that lines stay. */
export function withImagined(code, names = {}) {
  let text = code;
  for (let grown = true; grown; ) {
    grown = false;
    for (const [name, declaration] of Object.entries(names)) {
      if (!new RegExp(`\\b${name}\\b`).test(text) || declares(text, name)) continue;
      text += `\n${declaration}`;
      grown = true;
    }
  }
  return `${text}\nexport {};\n`;
}

/** F1 */
export async function checkFragments() {
  const scratch = await mkdtemp(join(tmpdir(), 'perdure-fragments-'));
  try {
    await symlink(join(root, 'node_modules'), join(scratch, 'node_modules'), 'junction');
    await writeFile(join(scratch, 'package.json'), '{"type":"module"}');
    const origin = new Map();
    for (const document of (await sourceFiles()).filter((file) => DOCUMENTS.test(file))) {
      const { names, files = {} } = IMAGINED[document] ?? {};
      const dir = document.replace(/\.md$/, '').replaceAll('/', '-');
      const put = async (file, text) => {
        await mkdir(dirname(join(scratch, dir, file)), { recursive: true });
        await writeFile(join(scratch, dir, file), text);
      };
      for (const [file, text] of Object.entries(files)) await put(file, text);
      for (const { language, code, line, file } of fragmentsOf(read(document))) {
        const name = file ?? `line-${line}.${language === 'ts' ? 'ts' : 'cjs'}`;
        await put(name, language === 'ts' ? withImagined(code, names) : code);
        origin.set(`${dir}/${name}`, { document, line });
      }
    }
    const problems = [
      ...(await compile(scratch, 'ts', OPTIONS, ['**/*.ts'])),
      ...(
        await compile(scratch, 'js', { ...OPTIONS, strict: false, allowJs: true, checkJs: true }, [
          '**/*.cjs',
        ])
      ).filter((problem) => IN_JAVASCRIPT.test(problem)),
    ];
    if (problems.length > 0)
      throw new Error(problems.map((problem) => inDocument(problem, origin)).join('\n'));
    return `${origin.size} fragments`;
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function compile(dir, name, compilerOptions, include) {
  const project = join(dir, `tsconfig.${name}.json`);
  await writeFile(project, JSON.stringify({ compilerOptions, include, exclude: ['node_modules'] }));
  const { code, output } = await run(
    [process.execPath, packageBin('typescript', 'tsc'), '-p', project, '--pretty', 'false'],
    { cwd: dir, quiet: true },
  );
  return code === 0 ? [] : output.trim().split('\n');
}

/** `dir/line-12.ts(3,4): error` becomes the document's line. */
function inDocument(problem, origin) {
  const at = /^(\S+?)\((\d+),\d+\): (.*)$/.exec(problem);
  const found = at && origin.get(at[1].replaceAll('\\', '/'));
  return found ? `${found.document}:${found.line + Number(at[2]) - 1}: ${at[3]}` : problem;
}
