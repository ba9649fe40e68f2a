import type { DirectoryField } from '../executor/compile.js';
import { project } from '../stitching/shape.js';
import type { Directory } from '../types.js';

/** Answers the `directory` subgraph from memory. Instances that cannot yet be described as the schema wants are left out. */
export function answerDirectory(directory: Directory, fields: readonly DirectoryField[]): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const { key, projection } of fields) {
    data[key] =
      projection === undefined
        ? 'Query'
        : directory.all().flatMap(({ code, name, url, logo, homepage }) => {
            const instance = project(projection, { code, name, url, logo, homepage });
            return instance === null ? [] : [instance];
          });
  }
  return data;
}
