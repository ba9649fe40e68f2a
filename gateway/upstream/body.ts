import { print } from 'graphql';
import { documentOf, type SpecialisedOperation } from '../stitching/specialise.js';

/** The part of a request body that is the same for every viewer. */
export interface RequestBody {
  readonly start: string;
  /** The variables the operation declares: no others are passed on. */
  readonly variables: readonly string[];
}

export function requestBody(specialised: SpecialisedOperation): RequestBody {
  const query = print(documentOf(specialised));
  return {
    start: `{"query":${JSON.stringify(query)},"variables":{`,
    variables: (specialised.operation.variableDefinitions ?? []).map((definition) => definition.variable.name.value),
  };
}

export function writeBody(body: RequestBody, variables: Readonly<Record<string, unknown>>): string {
  let text = body.start;
  let separator = '';
  for (const name of body.variables) {
    const value = variables[name];
    if (value === undefined) continue;
    text += `${separator}${JSON.stringify(name)}:${JSON.stringify(value)}`;
    separator = ',';
  }
  return `${text}}}`;
}
