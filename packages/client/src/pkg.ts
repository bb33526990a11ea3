/** Name and version that the client tells the server; a test holds the version against package.json. */
export const CLIENT_NAME = 'perdure-typescript';
export const CLIENT_VERSION = '0.1.0';
