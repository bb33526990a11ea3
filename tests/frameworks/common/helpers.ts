/** In the bundle, and called. */
export function polite(text: string): string {
  return `${text}`;
}

/** Nobody imports it: tree shaking leaves it out of the bundle, and coverage has to say that it has not run. */
export function rude(text: string): string {
  return text.toUpperCase();
}
