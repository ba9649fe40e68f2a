/*
 * Lets Node itself run our sources: it strips the types, but does not know that `./x.js` may be the file `./x.ts`.
 * For what runs outside Jest's module system and must not depend on an earlier build: Jest's global setup, and programs
 * that tests start with `--import <this file>`. Sources with decorators cannot be run this way; start those from dist.
 */
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    try {
      return nextResolve(specifier, context);
    } catch (error) {
      if (!/^\.{1,2}\/.*\.js$/.test(specifier)) throw error;
      return nextResolve(specifier.replace(/\.js$/, '.ts'), context);
    }
  },
});
