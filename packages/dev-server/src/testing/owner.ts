/** A program that owns a server and never stops it: prints the server's data and waits to be killed. */
import { startDevServer, startTestServer } from '@perdure/dev-server';

async function main() {
  const server =
    process.argv[2] === 'test-server'
      ? await startTestServer()
      : await startDevServer({ useExisting: false });
  const { address, pid, logFile } = server;
  process.stdout.write(`${JSON.stringify({ address, pid, logFile })}\n`);
  if (process.argv[3] === 'exit') return; // S3: the process must end by itself
  setInterval(() => {}, 1_000);
}

void main();
