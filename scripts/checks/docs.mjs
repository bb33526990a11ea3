/**
 * Documents are held against the tree, so that they cannot rot unseen.
 *
 * D1  Every relative link in a Markdown file leads to a file, and its #anchor to a heading.
 * D2  docs/errors/ has a page for every error code in the sources, and no other page.
 * D3  Every package has a README.md that names the package in its title, and a place in README.md and ARCHITECTURE.md.
 * D4  No document names a path of somebody's machine.
 */
import { existsSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { root, workspacePackages } from '../tools/paths.mjs';
import { read, sourceFiles } from './files.mjs';

/** D1, D4 */
export async function checkLinks() {
  const problems = [];
  let links = 0;
  for (const file of (await sourceFiles()).filter((f) => f.endsWith('.md'))) {
    const text = read(file);
    const personal = /(?:\/home\/|\/Users\/|\/root\/)[A-Za-z0-9_.-]+/.exec(text);
    if (personal) problems.push(`${file}: names a path of one machine, ${personal[0]}`);
    const prose = text.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)) {
      if (/^[a-z][a-z0-9+.-]*:/i.test(target)) continue;
      links += 1;
      const [path, anchor] = target.split('#');
      const resolved = path ? posix.normalize(posix.join(posix.dirname(file), decodeURI(path))) : file;
      if (!existsSync(`${root}/${resolved}`)) {
        problems.push(`${file}: link to ${target} leads nowhere`);
      } else if (
        anchor &&
        statSync(`${root}/${resolved}`).isFile() &&
        !anchorsOf(read(resolved)).has(anchor)
      ) {
        problems.push(`${file}: ${path || 'this file'} has no heading for #${anchor}`);
      }
    }
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return `${links} links`;
}

/** Anchors as the usual Markdown renderers make them. */
export function anchorsOf(markdown) {
  const anchors = new Set();
  for (const [, heading] of markdown.replace(/^```[\s\S]*?^```/gm, '').matchAll(/^#+\s+(.*)$/gm)) {
    anchors.add(
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/\s/g, '-'),
    );
  }
  return anchors;
}

/** D2 */
export async function checkErrorPages() {
  const files = await sourceFiles();
  const codes = new Map();
  for (const file of files) {
    if (/^packages\/[^/]+\/src\/.*\.ts$/.test(file) && !/\.test\.ts$|\/src\/(.*\/)?testing\//.test(file)) {
      for (const code of codesInTypeScript(read(file))) codes.set(code, file);
    }
    if (/^crates\/[^/]+\/src\/.*\.rs$/.test(file)) {
      for (const code of codesInRust(read(file))) codes.set(code, file);
    }
  }
  const pages = new Set(
    files
      .flatMap((file) => /^docs\/errors\/([A-Z][A-Z0-9_]*)\.md$/.exec(file)?.[1] ?? [])
      .filter((p) => p !== 'README'),
  );
  const problems = [
    ...[...codes]
      .filter(([code]) => !pages.has(code))
      .map(([code, file]) => `docs/errors/${code}.md is missing (${file})`),
    ...[...pages]
      .filter((page) => !codes.has(page))
      .map((page) => `docs/errors/${page}.md: no source has this code`),
    ...[...pages]
      .filter((page) => !new RegExp(`^# ${page}\\b`).test(read(`docs/errors/${page}.md`)))
      .map((page) => `docs/errors/${page}.md: its title must begin with the code`),
  ];
  if (problems.length > 0) throw new Error(problems.sort().join('\n'));
  return `${codes.size} codes`;
}

/** Codes that are not ours: those of Node.js on the objects that stand in for its own. */
const FOREIGN_CODES = ['ERR_ASSERTION'];

/**
 * A class says `readonly code = 'X'`, or names a union `type SomethingErrorCode`, or is branded with its code.
 * Codes of warnings are no error codes.
 */
export function codesInTypeScript(source) {
  const codes = [];
  const collect = (text) => {
    for (const [, code] of text.matchAll(/'([A-Z][A-Z0-9_]+)'/g)) codes.push(code);
  };
  for (const [, value] of source.matchAll(/\breadonly code(?:\s*:[^=;{}()]+)?\s*=\s*([^;]+);/g))
    collect(value);
  for (const [, union] of source.matchAll(/\btype \w*ErrorCode\s*=\s*([^;]+);/g)) collect(union);
  for (const [, brand] of source.matchAll(/\bbrandError\(\s*\w+,\s*'\w+',\s*('[A-Z][A-Z0-9_]+'),?\s*\)/g))
    collect(brand);
  return codes.filter((code) => !FOREIGN_CODES.includes(code));
}

/** Arms of `fn code`, the one place where a Rust error picks its code. */
export function codesInRust(source) {
  const codes = [];
  for (const [, body] of source.matchAll(/fn code\(&self\)[^{]*\{([\s\S]*?)\n {4}\}/g)) {
    for (const [, code] of body.matchAll(/"([A-Z][A-Z0-9_]+)"/g)) codes.push(code);
  }
  return codes;
}

/** D3 */
export function checkReadmes() {
  const problems = [];
  const packages = workspacePackages();
  for (const { short, name } of packages) {
    const file = `packages/${short}/README.md`;
    if (!existsSync(`${root}/${file}`)) problems.push(`${file} is missing`);
    else if (!read(file).startsWith(`# ${name}`)) problems.push(`${file}: its title must begin with ${name}`);
    for (const [document, entry] of [
      ['README.md', `[\`${name}\`](packages/${short}/README.md)`],
      ['ARCHITECTURE.md', `| \`packages/${short}\` `],
    ]) {
      if (!read(document).includes(entry)) problems.push(`${document} does not list ${name}`);
    }
  }
  for (const file of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'LICENSE']) {
    if (!existsSync(`${root}/${file}`)) problems.push(`${file} is missing`);
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return `${packages.length} packages`;
}
