/** Text that people and programs give each other: what may stand in it. */

/** The control characters of C0 and C1, as the inside of a character class. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';
const control = new RegExp(`[${CONTROL}]`);

/**
 * What is not seen and changes what is: ends of lines that are none of ours, marks and embeddings that turn the
 * direction of writing, characters without width, tags. The joiners of scripts and emoji are not among them.
 */
const INVISIBLE =
  '\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}';

const unprintable = new RegExp(`[${CONTROL}${INVISIBLE}]`, 'gu');
const unprintableInLines = new RegExp(`(?![\\n\\t])[${CONTROL}${INVISIBLE}]`, 'gu');

/** Text for a terminal, whose cursor or colours a name or message of another machine could change. */
export const printable = (text: string): string => text.replace(unprintable, '�');

/** The same for text of several lines: their ends and tabs stay. */
export const printableLines = (text: string): string =>
  text.replaceAll('\r\n', '\n').replace(unprintableInLines, '�');

/** JSON that is the same to a program and does nothing to a terminal: what can't be printed is written as `\uXXXX`. */
export const printableJson = (json: string): string =>
  json.replace(unprintableInLines, (character) =>
    Array.from(
      { length: character.length },
      (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
    ).join(''),
  );

export const hasControlCharacters = (text: string): boolean => control.test(text);

/** Patterns: no control characters; none and no white space; none and not blank. All run in linear time. */
export const PLAIN_TEXT = `^[^${CONTROL}]*$`;
export const PLAIN_WORD = `^[^\\s${CONTROL}]+$`;
export const NOT_BLANK = `^(?=\\s*\\S)[^${CONTROL}]+$`;
/** A name of a file, and no path. */
export const PLAIN_FILE = `^(?!\\.{1,2}$)[^/\\\\${CONTROL}]+$`;
