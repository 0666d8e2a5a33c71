/** Thrown where the mesh can't start; everything that may happen later is a value. */
export class MeshError extends Error {
  readonly code: 'KEY_FILE' | 'LISTEN' | 'STATE';

  constructor(code: MeshError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'MeshError';
    this.code = code;
  }
}
