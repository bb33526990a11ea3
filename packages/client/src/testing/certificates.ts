/** Certificates for TLS tests, made with the openssl command in a directory of their own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Pair {
  crt: Buffer;
  key: Buffer;
}

export class CertificateAuthority {
  private readonly dir = mkdtempSync(join(tmpdir(), 'perdure-ca-'));
  readonly certificate: Buffer;

  constructor(name: string) {
    this.openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
    ); // prettier-ignore
    this.certificate = readFileSync(join(this.dir, 'ca.crt'));
  }

  /** A certificate for `host`; with `days` of zero it has expired when it is made. */
  issue(host: string, { days = 2 }: { days?: number } = {}): Pair {
    const id = `${host}-${days}`;
    const ip = /^[\d.]+$/.test(host);
    writeFileSync(join(this.dir, `${id}.ext`), `subjectAltName=${ip ? 'IP' : 'DNS'}:${host}\n`);
    this.openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-subj',
      `/CN=${host}`,
      '-keyout',
      `${id}.key`,
      '-out',
      `${id}.csr`,
    ); // prettier-ignore
    this.openssl(
      'x509',
      '-req',
      '-in',
      `${id}.csr`,
      '-CA',
      'ca.crt',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      String(days),
      '-extfile',
      `${id}.ext`,
      '-out',
      `${id}.crt`,
    ); // prettier-ignore
    return { crt: readFileSync(join(this.dir, `${id}.crt`)), key: readFileSync(join(this.dir, `${id}.key`)) };
  }

  /** A pair in one PKCS #12 file. */
  toPfx({ crt, key }: Pair, passphrase: string): Buffer {
    writeFileSync(join(this.dir, 'pair.crt'), crt);
    writeFileSync(join(this.dir, 'pair.key'), key);
    const files = ['-in', 'pair.crt', '-inkey', 'pair.key', '-out', 'pair.pfx'];
    this.openssl('pkcs12', '-export', ...files, '-passout', `pass:${passphrase}`);
    return readFileSync(join(this.dir, 'pair.pfx'));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'pipe' });
  }
}
