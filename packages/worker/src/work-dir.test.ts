import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { InvalidOptionsError } from './options-check';
import { withWorkDir } from './work-dir';

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true });
});

function workDir(files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'perdure-work-dir-'));
  directories.push(directory);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}

async function problem(files: Record<string, string>): Promise<string> {
  const error: InvalidOptionsError = await withWorkDir({ taskQueue: 'q', workDir: workDir(files) }).then(
    () => {
      throw new Error('accepted');
    },
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(InvalidOptionsError);
  return error.problems.map(({ field, problem: text }) => `${field}: ${text}`).join();
}

it('takes a module, or the index of a folder', async () => {
  const directory = workDir({
    'workflows/index.ts': '',
    'workflows/other.ts': '',
    'activities.js': 'exports.greet = () => 1;',
  });
  const options = await withWorkDir({ taskQueue: 'q', workDir: directory });
  expect(options.workflowsPath).toBe(join(directory, 'workflows', 'index.ts'));
  expect(Object.keys(options.activities!)).toEqual(['greet']);
});

it('takes all modules of a folder without an index, but declarations, tests and sources of what is compiled', async () => {
  const directory = workDir({
    'workflows/a.js': '',
    'workflows/a.ts': '',
    'workflows/b.js': '',
    'workflows/b.d.ts': '',
    'workflows/b.test.js': '',
    'workflows/notes.md': '',
  });
  const { workflowsPath } = await withWorkDir({ taskQueue: 'q', workDir: directory });
  expect(readFileSync(workflowsPath!, 'utf8')).toBe(
    ['a.js', 'b.js']
      .map((file) => `export * from ${JSON.stringify(join(directory, 'workflows', file))};\n`)
      .join(''),
  );
});

it('leaves options that are given alone', async () => {
  const directory = workDir({ 'workflows.js': '', 'activities.js': 'throw new Error("loaded");' });
  const given = { taskQueue: 'q', workDir: directory, workflowsPath: '/mine.ts', activities: { mine() {} } };
  expect(await withWorkDir(given)).toEqual(given);
});

it('refuses what is no directory, or has nothing in it', async () => {
  expect(await problem({})).toMatch(/workDir: .* has neither workflows nor activities/);
  await expect(withWorkDir({ taskQueue: 'q', workDir: '/nowhere' })).rejects.toThrow(/not a directory/);
});

it('refuses two activities of one name, with both files', async () => {
  const files = {
    'activities/a.js': 'exports.greet = () => 1;',
    'activities/b.js': 'exports.greet = () => 2;',
  };
  expect(await problem(files)).toMatch(/"greet" is exported by .*a\.js and by .*b\.js/);
});
