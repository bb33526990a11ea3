import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: [createRequire(import.meta.url).resolve('@perdure/testing/global-setup')],
    testTimeout: 120_000,
    // Vitest's v8 provider, with workflow code added.
    coverage: { provider: 'custom', customProviderModule: '@perdure/testing/vitest-coverage' },
    hookTimeout: 120_000,
  },
});
