// What the text of a function option is: an arrow expression (code), the name of an export or method, a declared
// framer or an encoding. The one place that decides whether text is code; what runs code asks here too.

import type { FunctionText } from './option.js'

const CODE = /^\s*(?:async\b\s*)?(?:\(|[\p{ID_Start}$_][\p{ID_Continue}$]*\s*=>)/u
const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*$/u
const FRAMER = /^(?:line|delimiter|length|varint|fixed|eof|datagram|http)(?:$|[:,])/

/** Encodings that decode_request and encode_response take by name. */
export const encodings = ['utf8', 'latin1', 'ascii', 'hex', 'base64', 'json'] as const

export type Expression = 'code' | 'name' | 'framer' | 'encoding'

/** True when the text is an arrow expression: it begins as one. */
export const isCode = (text: string): boolean => CODE.test(text)

/**
 * Classifies the text of a function option.
 * @returns undefined when it is none of what the option takes.
 * @example
 * classify('line', ['framer']) // 'framer'
 * classify('r => r', []) // 'code'
 */
export function classify(text: string, takes: readonly FunctionText[]): Expression | undefined {
  if (isCode(text)) return 'code'
  if (takes.includes('framer') && FRAMER.test(text)) return 'framer'
  if (takes.includes('encoding') && (encodings as readonly string[]).includes(text))
    return 'encoding'
  return NAME.test(text) ? 'name' : undefined
}

/** What was wanted, for messages. */
export function wantedFunction(takes: readonly FunctionText[]): string {
  const kinds = [
    ...(takes.includes('framer') ? ['a framer such as line, delimiter:\\n or length:u32be'] : []),
    ...(takes.includes('encoding') ? [`an encoding (${encodings.join(', ')})`] : []),
    'the name of an export or method',
  ]
  return `${kinds.join(', ')} or an arrow expression`
}
