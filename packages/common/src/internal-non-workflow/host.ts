/** Addresses of servers: `host`, `host:port`, `[ipv6]:port`, with or without a scheme. */
import { ValueError } from '../errors';

export interface ProtoHostPort {
  scheme?: string;
  /** Without brackets. */
  hostname: string;
  port?: number;
}

/** A host name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port. */
const ADDRESS =
  /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):\/\/)?(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([^\s:/?#[\]@]+))(?::(\d{1,5}))?\/?$/;

/** The parts of an address, undefined when it is none. */
export function splitProtoHostPort(address: string): ProtoHostPort | undefined {
  const match = typeof address === 'string' ? ADDRESS.exec(address) : null;
  if (match === null) return undefined;
  const [, scheme, ipv6, name, port] = match;
  if (port !== undefined && Number(port) > 65535) return undefined;
  return {
    ...(scheme !== undefined && { scheme }),
    hostname: (ipv6 ?? name)!,
    ...(port !== undefined && { port: Number(port) }),
  };
}

/** The address of its parts. */
export function joinProtoHostPort({ scheme, hostname, port }: ProtoHostPort): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname;
  return `${scheme === undefined ? '' : `${scheme}://`}${host}${port === undefined ? '' : `:${port}`}`;
}

/**
 * `host:port` of a gRPC address, with the default port where it names none.
 * @throws {ValueError} it is no address
 */
export function normalizeGrpcEndpointAddress(address: string, defaultPort: number): string {
  const parts = splitProtoHostPort(address);
  if (parts === undefined) {
    throw new ValueError(
      `Invalid address for Temporal gRPC endpoint: ${JSON.stringify(address)}`,
      undefined,
      "give 'host:port', for example 'localhost:7233'; IPv6 addresses stand in brackets",
    );
  }
  const { hostname, port = defaultPort } = parts;
  return joinProtoHostPort({ hostname, port });
}
