/** A program that asks for a binary in the cache directory given as argument, and prints what it found. */
import { findServerBinary } from '@perdure/dev-server';

async function main() {
  const found = await findServerBinary('temporal-test-server', {
    cacheDir: process.argv[2]!,
    usePath: false,
  });
  process.stdout.write(`${JSON.stringify(found)}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
