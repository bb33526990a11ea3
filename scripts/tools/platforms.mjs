/**
 * The platforms that have an addon package, `@perdure/core-<name>`. The names are those that packages/core/src/load.ts
 * looks for; .github/workflows/release.yml builds each (a check holds the three against each other).
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './paths.mjs';

/** @type {Readonly<Record<string, { target: string, os: string, cpu: string, libc?: string }>>} */
export const PLATFORMS = {
  'linux-x64-gnu': { target: 'x86_64-unknown-linux-gnu', os: 'linux', cpu: 'x64', libc: 'glibc' },
  'linux-x64-musl': { target: 'x86_64-unknown-linux-musl', os: 'linux', cpu: 'x64', libc: 'musl' },
  'linux-arm64-gnu': { target: 'aarch64-unknown-linux-gnu', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'linux-arm64-musl': { target: 'aarch64-unknown-linux-musl', os: 'linux', cpu: 'arm64', libc: 'musl' },
  'darwin-x64': { target: 'x86_64-apple-darwin', os: 'darwin', cpu: 'x64' },
  'darwin-arm64': { target: 'aarch64-apple-darwin', os: 'darwin', cpu: 'arm64' },
  'win32-x64-msvc': { target: 'x86_64-pc-windows-msvc', os: 'win32', cpu: 'x64' },
};

/** The platform of this machine. */
export function thisPlatform() {
  const { platform, arch } = process;
  if (platform === 'linux') {
    const isGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined;
    return `linux-${arch}-${isGlibc ? 'gnu' : 'musl'}`;
  }
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

/** The addon built for a platform: by the release workflow, or, for this machine, by `npm run build`. */
export function addonFile(platform) {
  const dir = join(root, 'packages', 'core', 'native');
  return [
    join(dir, `${platform}.node`),
    ...(platform === thisPlatform() ? [join(dir, 'perdure.node')] : []),
  ].find((file) => existsSync(file));
}

/** The manifest of a platform's package: one file, and conditions that keep it off every other platform. */
export function platformManifest(platform, version) {
  const { os, cpu, libc } = PLATFORMS[platform];
  return {
    name: `@perdure/core-${platform}`,
    version,
    description: `The native addon of @perdure/core for ${platform}`,
    license: 'MIT',
    engines: { node: '>=20.19.0' },
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: 'perdure.node',
    files: ['perdure.node'],
  };
}
