// Text that can stand in a log line, whatever a peer or a handler put into it: nothing ends a line,
// moves a terminal's cursor or reorders what is read, and nothing is longer than a line should be.

/** Longest message or field, in characters; a stack trace gets through. */
const LONGEST = 2000
/** Of these, what says how long it was. */
const NOTE = 40

/** Everything that could end a line, move the cursor, or reorder text on a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

const codeOf = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  if (character === '\t') return '\\t'
  return codeOf(character)
}

/**
 * Text of at most 2000 characters, which is said when there were more.
 * @example
 * capText('short') // 'short'
 */
export function capText(text: string): string {
  return text.length > LONGEST
    ? `${text.slice(0, LONGEST - NOTE)}…(${text.length} characters)`
    : text
}

/**
 * Text that can stand in a log line.
 * @example
 * safeText('a\nb') // 'a\\nb'
 */
export function safeText(text: string): string {
  return capText(text).replace(UNSAFE, escapeCharacter)
}

/**
 * A finished JSON text with what JSON leaves as it is (C1 controls, line separators, bidirectional marks) escaped
 * as well. It means the same: such characters stand inside of strings only.
 * @example
 * safeJson('{"a":"\u202e"}') // '{"a":"\\u202e"}'
 */
export function safeJson(json: string): string {
  return json.replace(UNSAFE, codeOf)
}

/**
 * A value as it stands behind `name=`: quoted where it has spaces, quotes or `=`, or is empty.
 * @example
 * fieldText('a b') // '"a b"'
 */
export function fieldText(value: unknown): string {
  const text = safeText(typeof value === 'string' ? value : String(value))
  return /[\s"=]/.test(text) || text === '' ? `"${text.replaceAll('"', '\\"')}"` : text
}
