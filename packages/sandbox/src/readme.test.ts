import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

it('the example of the README runs as it stands there', () => {
  const root = path.resolve(__dirname, '..');
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(path.join(root, 'README.md'), 'utf8'))!;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', example!], {
    cwd: root,
    encoding: 'utf8',
    timeout: 120_000,
  });
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('"Hello, World! It is 2001-09-09T01:46:40.000Z"');
});
