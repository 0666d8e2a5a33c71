/** A multipart form (RFC 7578) with one file that is streamed, so that its size doesn't matter. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';

export interface Form {
  readonly content: Readable;
  readonly type: string;
  readonly length: number;
}

/** `open` is called when the file's turn comes; it must give exactly `size` bytes. Undefined fields are left out. */
export function makeForm(
  fields: Readonly<Record<string, string | undefined>>,
  fileName: string,
  size: number,
  open: () => Readable,
): Form {
  const boundary = `fsched-${randomBytes(16).toString('hex')}`;
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
    );
  const head = Buffer.from(
    `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${escapeName(fileName)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    content: Readable.from(join(head, open, tail)),
    type: `multipart/form-data; boundary=${boundary}`,
    length: head.length + size + tail.length,
  };
}

async function* join(head: Buffer, open: () => Readable, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  yield* open();
  yield tail;
}

/** As browsers do (HTML standard, "multipart/form-data encoding algorithm"). */
const escapeName = (name: string): string =>
  name.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
