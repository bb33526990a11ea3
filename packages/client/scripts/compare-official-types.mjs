// Holds the types of this package against those of the official client.
//
//   node scripts/compare-official-types.mjs [folder with @temporalio packages=../../bench]
//
// Two checks, both made by the compiler:
// 1. What the type tests of this package say (what is inferred, what is refused) the official types say too: the tests
//    are compiled again, with the import scope exchanged.
// 2. Every member of every public type and class of the official package is here too.
//
// What this package adds on purpose is cut out of the tests by pairs of lines `// only here` and `// end`.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageDir = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const root = resolve(packageDir, '../..');
const official = join(resolve(process.argv[2] ?? join(root, 'bench')), 'node_modules');
const read = (file) => readFileSync(join(packageDir, file), 'utf8');

const TYPE_TESTS = ['types.test.ts', 'activity-client-types.test.ts'];

/** Members that are details of the libraries that the official package is made with. */
const LEFT_OUT = {
  ProtoFailure: ['failureInfo'],
  Connection_static: ['Client'],
  // Classes there, objects here; `create` is what both have.
  ...Object.fromEntries(
    ['Workflow', 'Operator', 'Test', 'Health'].map((name) => [`${name}Service_static`, ['prototype']]),
  ),
};

/** Arguments for what cannot be named without. */
const ARGUMENTS = {
  ActivityArgs: "<Activities, 'a'>",
  ActivityName: '<Activities>',
  ActivityOptionsFor: "<Activities, 'a'>",
  ActivityOptionsWithArgs: '<[string]>',
  ActivityResult: "<Activities, 'a'>",
  BaseWorkflowHandle: '<Workflow>',
  LooseRange: '<number>',
  Next: "<{ m(input: string, next: () => void): void }, 'm'>",
  NexusServiceClient: '<Service>',
  QueryDefinition: '<number, [string]>',
  Range: '<number>',
  ScheduleOptionsStartWorkflowAction: '<Workflow>',
  TypedActivityClient: '<Activities>',
  UpdateDefinition: '<number, [string]>',
  WithCompiledWorkflowOptions: '<{ workflowId: string; taskQueue: string }>',
  WithWorkflowArgs: '<Workflow, { a: 1 }>',
  WorkflowResultType: '<Workflow>',
  WorkflowSignalWithStartOptionsWithArgs: '<[string]>',
  WorkflowSignalWithStartOptionsWithoutArgs: '<[]>',
  WorkflowUpdateHandle: '<number>',
};

function typeTest(file) {
  return read(`src/${file}`)
    .replace(/^\s*\/\/ only here$[\s\S]*?^\s*\/\/ end$/gm, '')
    .replace(
      /import type \{ IsEqual \} from '.*';/,
      'type IsEqual<A, B> = (<G>() => G extends A ? 1 : 2) extends <G>() => G extends B ? 1 : 2 ? true : false;',
    )
    .replaceAll('@perdure/', '@temporalio/');
}

function memberTest() {
  const surface = JSON.parse(read('src/testing/api-surface.json'));
  const missing = JSON.parse(read('src/testing/api-surface-missing.json'));
  const lines = [
    "import type * as Here from '@perdure/client';",
    "import type * as There from '@temporalio/client';",
    "import type * as nexus from 'nexus-rpc';",
    'interface Activities { a(x: string): Promise<number> }',
    'type Workflow = (x: string) => Promise<number>;',
    'type Service = nexus.ServiceDefinition<{ o: nexus.OperationDefinition<string, number> }>;',
    'type Instance<C> = C extends abstract new (...args: any) => infer I ? I : never;',
    'type Lacks<A, B, LeftOut> = Exclude<keyof A & string, (keyof B & string) | LeftOut>;',
  ];
  const check = (name, there, here) => {
    const leftOut = LEFT_OUT[name]?.map((member) => `'${member}'`).join(' | ') ?? 'never';
    lines.push(`export const ${name}_: never = null! as Lacks<${there}, ${here}, ${leftOut}>;`);
  };
  for (const name of surface.types.filter((name) => !(name in missing))) {
    const args = ARGUMENTS[name] ?? '';
    check(name, `There.${name}${args}`, `Here.${name}${args}`);
  }
  for (const name of surface.values.filter((name) => !(name in missing))) {
    check(`${name}_static`, `typeof There.${name}`, `typeof Here.${name}`);
    check(`${name}_instance`, `Instance<typeof There.${name}>`, `Instance<typeof Here.${name}>`);
  }
  return lines.join('\n');
}

const folder = mkdtempSync(join(tmpdir(), 'client-types-'));
try {
  mkdirSync(join(folder, 'src'));
  for (const file of TYPE_TESTS) writeFileSync(join(folder, 'src', file), typeTest(file));
  writeFileSync(join(folder, 'src', 'members.ts'), memberTest());
  const options = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    types: ['node', 'jest'],
    typeRoots: [join(root, 'node_modules/@types')],
    paths: {
      '@temporalio/*': [join(official, '@temporalio/*')],
      '@perdure/*': [join(root, 'packages/*')],
      // Its package.json hides its types from today's way of resolving, and durations would be `any`.
      ms: [join(official, 'ms/dist/index.d.ts')],
      'nexus-rpc': [join(root, 'node_modules/nexus-rpc')],
    },
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: options, include: ['src'] }),
  );
  const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], {
    cwd: folder,
    encoding: 'utf8',
  });
  process.stdout.write(stdout || 'The types agree.\n');
  process.exitCode = status;
} finally {
  rmSync(folder, { recursive: true });
}
