import { AesGcmCodec, keyRingFromEnv, startCodecServer } from '@perdure/encryption';

async function main(): Promise<void> {
  const server = await startCodecServer({
    codecs: [new AesGcmCodec(keyRingFromEnv())],
    port: Number(process.env.PORT ?? 8081),
    // the Web UI of `temporal server start-dev`, under both of its names
    allowedOrigins: ['http://localhost:8233', 'http://127.0.0.1:8233'],
  });
  console.log(`temporal workflow show --detailed --codec-endpoint ${server.url} --workflow-id ...`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
