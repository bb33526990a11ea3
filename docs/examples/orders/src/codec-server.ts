import { AesGcmCodec, keyRingFromEnv, startCodecServer } from '@perdure/encryption';

async function main(): Promise<void> {
  const server = await startCodecServer({
    codecs: [new AesGcmCodec(keyRingFromEnv())],
    port: Number(process.env.PORT ?? 8081),
    allowedOrigins: ['http://localhost:8233'], // the Web UI of `temporal server start-dev`
  });
  console.log(`temporal workflow show --codec-endpoint ${server.url} --workflow-id ...`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
