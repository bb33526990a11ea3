import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { Connection } from '@perdure/client';
import { startDevServer } from '@perdure/dev-server';
import { HandWorker } from './testing/hand-worker';

it('the example of the README runs as it stands there', async () => {
  const root = path.resolve(__dirname, '..');
  const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(path.join(root, 'README.md'), 'utf8'))!;
  const server = await startDevServer({ useExisting: false });
  const connection = await Connection.connect({ address: server.address });
  const worker = new HandWorker(connection, 'echoes');
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', example!], {
      cwd: root,
      env: { ...process.env, TEMPORAL_ADDRESS: server.address },
      timeout: 120_000, // for what hangs
    });
    expect(stderr).toBe('');
    expect(stdout).toBe('Hello, World!\necho COMPLETED\n');
  } finally {
    await worker.stop();
    await connection.close();
    await server.stop();
  }
});
