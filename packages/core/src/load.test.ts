import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { laneTransport, loadNative } from '.';
import { loadAddon } from './load';

const SOURCE = join(__dirname, '..', 'src', 'native.ts');

function inChild(script: string, env: NodeJS.ProcessEnv = {}): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], {
    cwd: __dirname,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return stdout + stderr;
}

describe('the addon', () => {
  it('exports exactly the functions that native.ts declares', () => {
    const [, body = ''] = readFileSync(SOURCE, 'utf8').split('export interface Native {');
    const declared = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name);
    expect(declared.length).toBeGreaterThan(20);
    expect(Object.keys(loadAddon()).sort()).toEqual(declared.sort());
  });

  it('refuses wrong arguments with a code', () => {
    const native = loadNative() as unknown as Record<string, (...args: unknown[]) => unknown>;
    const { version, ...others } = native;
    expect(version!()).toBe('0.1.0');
    for (const [name, call] of Object.entries(others)) {
      if (name.startsWith('lane') && name !== 'laneOpen' && name !== 'laneLost') continue;
      expect(() => call(null)).toThrow(
        expect.objectContaining({ name: 'CoreError', code: 'CORE_OPTIONS_INVALID' }),
      );
    }
  });

  it('is named with everything that was tried when it cannot be found', () => {
    const script = `try { require('.').loadNative() } catch (e) { console.log(e.name, e.code, e.message, e.hint) }`;
    const output = inChild(script, { PERDURE_NATIVE_PATH: '/nowhere/perdure.node' });
    expect(output).toContain('CoreError CORE_ADDON_MISSING no native addon for');
    expect(output).toContain('PERDURE_NATIVE_PATH=/nowhere/perdure.node: no such file');
    expect(output).toContain('build:native');
  });

  it('is refused when it belongs to another version', () => {
    const other = `exports.version = () => '9.9.9'`;
    const script = `
      require('fs').writeFileSync(process.env.PERDURE_NATIVE_PATH, ${JSON.stringify(other)});
      try { require('.').loadNative() } catch (e) { console.log(e.code, e.message) }`;
    const path = join(require('node:os').tmpdir(), `perdure-addon-${process.pid}.cjs`);
    expect(inChild(script, { PERDURE_NATIVE_PATH: path })).toMatch(
      /^CORE_ADDON_MISMATCH the native addon .* has version 9\.9\.9, @perdure\/core has 0\.1\.0/,
    );
    require('node:fs').unlinkSync(path);
  });

  it('is all that a lane thread loads', () => {
    const script = `
      require('./lane-transport').laneTransport;
      console.log(JSON.stringify(Object.keys(require.cache).map((path) => require('path').basename(path))));`;
    expect(JSON.parse(inChild(script)).sort()).toEqual(['lane-transport.js', 'load.js']);
  });
});

describe('the lane transport', () => {
  it('opens a number once, until that is closed', () => {
    const end = laneTransport.open(4_000, () => undefined);
    expect(() => laneTransport.open(4_000, () => undefined)).toThrow(
      expect.objectContaining({ code: 'CORE_LANE_TAKEN' }),
    );
    expect(end.evict(3)).toBe(0);
    expect(() => end.complete(new Uint8Array([255]))).toThrow(
      expect.objectContaining({ code: 'CORE_MESSAGE_MALFORMED' }),
    );
    end.close();
    end.close();
    laneTransport.open(4_000, () => undefined).close();
  });
});
