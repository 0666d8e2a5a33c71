/** Text that people and programs give each other: what may stand in it. */

/** The control characters of C0 and C1, as the inside of a character class. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f';
const control = new RegExp(`[${CONTROL}]`);

export const hasControlCharacters = (text: string): boolean => control.test(text);

/** Patterns: no control characters; none and no white space; none and not blank. All run in linear time. */
export const PLAIN_TEXT = `^[^${CONTROL}]*$`;
export const PLAIN_WORD = `^[^\\s${CONTROL}]+$`;
export const NOT_BLANK = `^(?=\\s*\\S)[^${CONTROL}]+$`;
/** A name of a file, and no path. */
export const PLAIN_FILE = `^(?!\\.{1,2}$)[^/\\\\${CONTROL}]+$`;
