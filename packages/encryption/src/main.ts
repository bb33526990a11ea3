#!/usr/bin/env node
/**
 * `perdure-codec-server`: a codec server with the keys of the environment (see keyRingFromEnv).
 *
 * PORT (8081), HOST (127.0.0.1), ALLOWED_ORIGINS (comma-separated), CODEC_TOKEN (callers must send it as a bearer token).
 */
import { timingSafeEqual } from 'node:crypto';
import { AesGcmCodec } from './aes-gcm-codec';
import { startCodecServer } from './codec-server';
import { keyRingFromEnv } from './key-ring';

async function main(): Promise<void> {
  const { PORT = '8081', HOST = '127.0.0.1', ALLOWED_ORIGINS = '', CODEC_TOKEN } = process.env;
  const server = await startCodecServer({
    codecs: [new AesGcmCodec(keyRingFromEnv())],
    port: Number(PORT),
    host: HOST,
    allowedOrigins: ALLOWED_ORIGINS.split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
    ...(CODEC_TOKEN !== undefined && {
      authorize: ({ headers }) => same(headers.authorization ?? '', `Bearer ${CODEC_TOKEN}`),
    }),
  });
  process.stdout.write(`codec server at ${server.url}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
}

function same(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}

main().catch((error: Error & { hint?: string }) => {
  process.stderr.write(`${error.message}${error.hint === undefined ? '' : `\n${error.hint}`}\n`);
  process.exitCode = 1;
});
