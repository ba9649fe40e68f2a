import { describe, expect, jest, test } from '@jest/globals';
import { OperationStream } from '../../../gateway/subscriptions/operation-stream.js';

const result = (value: number) => ({ data: { value } });

function stream() {
  const onEnd = jest.fn();
  return { operation: new OperationStream(onEnd), onEnd };
}

describe('an operation stream', () => {
  test('gives what came before and after the reader, in order, then the end', async () => {
    const { operation, onEnd } = stream();
    operation.push(result(1));
    operation.push(result(2));
    const read: unknown[] = [];
    const reading = (async () => {
      for await (const item of operation) {
        read.push(item);
        if (read.length === 2) {
          operation.push(result(3));
          operation.finish();
        }
      }
    })();
    await reading;
    expect(read).toEqual([result(1), result(2), result(3)]);
    expect(onEnd).toHaveBeenCalledTimes(1);
  });

  test('wakes a waiting reader for an event and for the end', async () => {
    const { operation } = stream();
    const first = operation.next();
    operation.push(result(1));
    const second = operation.next();
    operation.finish();
    expect(await first).toEqual({ done: false, value: result(1) });
    expect(await second).toEqual({ done: true, value: undefined });
    expect(await operation.next()).toEqual({ done: true, value: undefined });
  });

  test('gives the error after what is queued, once', async () => {
    const { operation } = stream();
    operation.push(result(1));
    operation.finish(new Error('ended'));
    expect(await operation.next()).toEqual({ done: false, value: result(1) });
    await expect(operation.next()).rejects.toThrow('ended');
    expect(await operation.next()).toEqual({ done: true, value: undefined });
  });

  test('rejects a waiting reader with the error', async () => {
    const { operation } = stream();
    const waiting = operation.next();
    operation.finish(new Error('ended'));
    await expect(waiting).rejects.toThrow('ended');
  });

  test.each(['return', 'throw'] as const)('after %s drops what is queued and releases the waiting reader', async (way) => {
    const { operation, onEnd } = stream();
    const waiting = operation.next();
    expect(await operation[way]()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    operation.push(result(1));
    expect(await operation.next()).toEqual({ done: true, value: undefined });

    const queued = stream();
    queued.operation.push(result(1));
    await queued.operation[way]();
    expect(await queued.operation.next()).toEqual({ done: true, value: undefined });
    expect([onEnd.mock.calls.length, queued.onEnd.mock.calls.length]).toEqual([1, 1]);
  });

  test('tells its end once, however often it is ended', async () => {
    const { operation, onEnd } = stream();
    operation.finish();
    operation.finish(new Error('too late'));
    await operation.return();
    expect(await operation.next()).toEqual({ done: true, value: undefined });
    expect(onEnd).toHaveBeenCalledTimes(1);
  });
});
