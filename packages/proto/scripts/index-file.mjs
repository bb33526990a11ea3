export function renderIndex() {
  return 'export {};\n';
}
