import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..');

it('the example of the README compiles and runs an activity without a server', () => {
  const dir = join(ROOT, 'lib', 'testing', `readme-${process.pid}`);
  try {
    const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))!;
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, 'example.ts'), code!);
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
    const compilerOptions = {
      target: 'es2022',
      module: 'nodenext',
      strict: true,
      types: ['node'],
      rootDir: '.',
      outDir: 'out',
    };
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['example.ts'] }));
    const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
    execFileSync(process.execPath, [tsc, '-p', dir], { encoding: 'utf8' });
    const output = execFileSync(process.execPath, [join(dir, 'out', 'example.js')], { encoding: 'utf8' });
    expect(output.split('\n')).toContain('Hello, Ada!');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 60_000);
