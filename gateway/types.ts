import type { KeyObject } from 'node:crypto';
import type { Server } from 'node:http';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { GatewayConfig } from './config.js';

/** What the gateway publishes about an instance, together with the address it reaches it under. */
export interface RegisteredInstance {
  readonly code: string;
  /** Base address of the instance server for the gateway, without a trailing slash: `/federation` is appended. Never shown to clients. */
  readonly endpoint: string;
  /** Public display name; the code until the instance has first answered. */
  readonly name: string;
  /** Public address for people. */
  readonly url: string | null;
  readonly logo: string | null;
  readonly homepage: string | null;
}

/** The instances of the registry with what they say of themselves. Reads are synchronous and never wait for the network. */
export interface Directory {
  get(code: string): RegisteredInstance | undefined;
  /** In the order of the registry. */
  all(): readonly RegisteredInstance[];
  /** Called after an instance was added, removed or has changed. Returns a function that ends the subscription. */
  onChange(callback: () => void): () => void;
}

/** The public keys of access tokens, by instance and `kid`. */
export interface AccessKeys {
  /** Looks a key up; an unknown `kid` asks the instance again, at most once per cool-down. `undefined` when there is none. */
  find(code: string, kid: string): KeyObject | undefined | Promise<KeyObject | undefined>;
}

export type Role = 'GUIDE' | 'STAFF' | 'ADMINISTRATOR';

/** The viewer as his own instance has signed him. `issuer` is his home instance's code and in the directory. */
export interface VerifiedViewer {
  /** The access token as the client sent it, without `Bearer`. Goes to the home instance only. */
  readonly token: string;
  readonly issuer: string;
  readonly accountId: string;
  readonly sessionId: string;
  readonly role: Role;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Rejects with a GraphQLError `UNAUTHENTICATED` that carries `reason` (docs/protocol.md §5). Whether the session still stands is the home instance's business. */
export type VerifyAccessToken = (token: string) => Promise<VerifiedViewer>;

/** The JWT for `x-lotse-gateway` (HTTP) and `connection_init` (WebSocket) towards this instance; never with less than a minute to live. */
export type GatewayCredential = (code: string) => string;

export interface SubscriptionsOptions {
  readonly httpServer: Server;
  readonly directory: Directory;
  readonly verifyAccessToken: VerifyAccessToken;
  readonly gatewayCredential: GatewayCredential;
  /** The client API: without inaccessible fields. */
  readonly schema: GraphQLSchema;
  readonly config: GatewayConfig;
  readonly logger: Logger;
}

export interface Subscriptions {
  /** Closes all client sockets with 1012 and the upstream ones; resolves when none is left. */
  close(): Promise<void>;
}
