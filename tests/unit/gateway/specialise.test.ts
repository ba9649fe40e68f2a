import { parse, print, type OperationDefinitionNode } from 'graphql';
import { placeholder } from '../../../gateway/stitching/instrument.js';
import { documentOf, flagVariables, fragmentsOf, specialise, type Flags } from '../../../gateway/stitching/specialise.js';

const squeeze = (text: string) => text.replaceAll(/\s+/gu, ' ').trim();

function specialised(text: string, flags: Flags, withPlaceholder = false): string | undefined {
  const document = parse(text);
  const operation = document.definitions[0] as OperationDefinitionNode;
  const result = specialise(operation, fragmentsOf(document), flags, withPlaceholder ? placeholder : undefined);
  return result === undefined ? undefined : squeeze(print(documentOf(result)));
}

describe('conditions are decided', () => {
  test.each<[string, Flags, string]>([
    ['query ($x: Boolean!) { a @skip(if: $x) b }', { x: true }, '{ b }'],
    ['query ($x: Boolean!) { a @skip(if: $x) b }', { x: false }, '{ a b }'],
    ['query ($x: Boolean!) { a @include(if: $x) b @include(if: true) }', { x: false }, '{ b }'],
    ['query ($x: Boolean!) { a @include(if: $x) @skip(if: $x) b }', { x: true }, '{ b }'],
    ['query ($x: Boolean!, $y: Int) { a(y: $y) @skip(if: $x) b }', { x: true }, '{ b }'],
    ['query ($x: Boolean!, $y: Int) { a(y: { z: [$y] }) ... @skip(if: $x) { c } }', { x: true }, 'query ($y: Int) { a(y: {z: [$y]}) }'],
    ['query ($x: Boolean!) { a ...F @skip(if: $x) } fragment F on Query { b }', { x: true }, '{ a }'],
    ['query ($x: Boolean!) { a ...F } fragment F on Query { b @skip(if: $x) }', { x: true }, '{ a }'],
    ['query ($x: Boolean!) { a ...F } fragment F on Query { ...G c } fragment G on Query { b @skip(if: $x) }', { x: true }, '{ a ...F } fragment F on Query { c }'],
    ['query Named($x: Boolean!) { a @other b @skip(if: $x) }', { x: true }, 'query Named { a @other }'],
  ])('%s with %j', (text, flags, expected) => {
    expect(specialised(text, flags)).toBe(expected);
  });

  test('a field with nothing left cannot be said, or gets the placeholder', () => {
    const text = 'query ($x: Boolean!) { a { b @skip(if: $x) } c }';
    expect(specialised(text, { x: true })).toBeUndefined();
    expect(specialised(text, { x: true }, true)).toBe('{ a { _lotse___typename: __typename } c }');
  });

  test('the deciding variables are found everywhere, once', () => {
    const document = parse(
      'query { a @skip(if: $z) ...F @include(if: $y) ... @skip(if: true) { b { c @include(if: $x) @skip(if: $z) } } } fragment F on Query { d @skip(if: $w) ...G } fragment G on Query { e }',
    );
    expect(flagVariables(document.definitions[0] as OperationDefinitionNode, fragmentsOf(document))).toEqual(['w', 'x', 'y', 'z']);
  });
});
