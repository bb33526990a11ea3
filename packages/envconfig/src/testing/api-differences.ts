/** Where the exports of this package differ from the official one, each with its reason. */

/** Runtime exports that the official package lacks. */
export const ADDITIONAL_VALUES: Readonly<Record<string, string>> = {
  ClientConfigError: 'says with code, file, profile and key what is wrong with a configuration',
};
