/** How the SDK names itself in answers that tools read. A test holds the version against package.json. */
export const SDK_NAME = 'perdure';
export const SDK_VERSION = '0.1.0';
