/** An expected outcome as a value, of the same shape as that of `node/ports.ts`, which this room can't import. */
export type Outcome<T, E> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };
