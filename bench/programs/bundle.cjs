// Bundles the workflow file once, in a process of its own; prints one line of JSON.
const { bundleWorkflowCode } = require('@temporalio/worker');

async function main() {
  const begin = process.hrtime.bigint();
  const { code } = await bundleWorkflowCode({
    workflowsPath: require.resolve('./workflows.ts'),
    logger: { log() {}, trace() {}, debug() {}, info() {}, warn: console.error, error: console.error },
  });
  console.log(
    JSON.stringify({ ms: Number(process.hrtime.bigint() - begin) / 1e6, bytes: Buffer.byteLength(code) }),
  );
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
