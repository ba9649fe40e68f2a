import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { fail, readDescription, signIn } from './client.js';
import { sampleAccount } from './tour.js';

/** `node dist/scripts/demo/watch.js`: a coupled guide follows his calendar at the gateway; one line for each change. */
async function watch(): Promise<void> {
  const demo = await readDescription();
  const guide = sampleAccount(demo.accounts);
  const client = createClient({
    url: demo.gateway.ws,
    webSocketImpl: WebSocket,
    retryAttempts: Infinity,
    // Asked again for each connection: a token ends after five minutes, the subscription goes on with the next.
    connectionParams: async () => ({ authorization: `Bearer ${await signIn(demo, guide)}` }),
    on: { connected: () => console.log(`${guide.email} follows the calendar in ${guide.instance}. Ctrl-C ends this.`) },
  });
  const changes = client.iterate({
    query: `subscription ($guide: ID!) { calendarChanged(guideId: $guide) {
      kind entryId entry { start end origin offerTitle instance { code } details { customer { name } } } } }`,
    variables: { guide: guide.guideId },
  });
  for await (const { data, errors } of changes) console.log(JSON.stringify(errors ?? data?.['calendarChanged']));
}

await watch().catch(fail);
