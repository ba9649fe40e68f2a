/** What belongs to one request over HTTP. */
export interface RequestContext {
  readonly requestId: string;
  readonly clientAddress: string;
  /** The `Authorization` header as it came; looked at only where an operation needs a viewer. */
  readonly authorization: string | undefined;
  /** Set by the executor before any data source is asked. */
  route?: Route;
  /** The operation's variables with their defaults, as graphql-js coerces them; set with the route. */
  coerced?: Readonly<Record<string, unknown>>;
  /** Which executor ran the operation; for the metrics. */
  executor?: 'compiled' | 'stock';
}

/** Where the `instance` part of an operation goes. */
export interface Route {
  /** `undefined` when the operation touches the directory and introspection only. */
  readonly home: string | undefined;
  /** The viewer's token, shown to his home only. */
  readonly token: string | undefined;
}
