/** Text that people and programs give each other: what may stand in it. */

/** The control characters of C0 and C1, as the inside of a character class. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';
const control = new RegExp(`[${CONTROL}]`);

/** Control characters, ends of lines, and what turns the direction of writing. */
const unprintable = new RegExp(`[${CONTROL}\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]`, 'g');

/** Text for a terminal, whose cursor or colours a name or message of another machine could change. */
export const printable = (text: string): string => text.replace(unprintable, '�');

export const hasControlCharacters = (text: string): boolean => control.test(text);

/** Patterns: no control characters; none and no white space; none and not blank. All run in linear time. */
export const PLAIN_TEXT = `^[^${CONTROL}]*$`;
export const PLAIN_WORD = `^[^\\s${CONTROL}]+$`;
export const NOT_BLANK = `^(?=\\s*\\S)[^${CONTROL}]+$`;
/** A name of a file, and no path. */
export const PLAIN_FILE = `^(?!\\.{1,2}$)[^/\\\\${CONTROL}]+$`;
