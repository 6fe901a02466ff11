// Arrow expressions: the text of -M 'r => r' becomes a function. lib/options decides where such text may
// stand; it is asked for again here, where it is run.

import { misuse } from '../errors.js'
import { isCode } from '../options/expression.js'

/** Any function of a handler. */
// biome-ignore lint/suspicious/noExplicitAny: what it takes and returns is the contract's
export type AnyFunction = (...args: any[]) => unknown

/**
 * Compiles an arrow expression.
 * @param option whose value it is, for messages
 * @param allowed what lib/options found: the text comes from where code may stand
 * @throws TypeError ERR_GAIDAROS_HANDLER when it is not allowed, no arrow expression, or does not compile
 * @example
 * compileArrow('handle_request', 'r => r.toString().toUpperCase()', true)
 */
export function compileArrow(option: string, text: string, allowed: boolean): AnyFunction {
  if (!allowed)
    throw misuse(
      'ERR_GAIDAROS_HANDLER',
      `${option}: code is not allowed here; wanted the name of an export, or --allow-code`,
    )
  if (!isCode(text)) throw refused(option, text, 'this is no arrow expression')
  const made = evaluate(option, text)
  if (typeof made === 'function') return made as AnyFunction
  throw refused(option, text, `this makes a ${typeof made}`)
}

function evaluate(option: string, text: string): unknown {
  try {
    // The parentheses and line ends keep a comment, or a statement, from leaving the expression.
    return new Function(`'use strict'; return (\n${text}\n)`)()
  } catch (error) {
    throw refused(option, text, error instanceof Error ? error.message : String(error), error)
  }
}

function refused(option: string, text: string, why: string, cause?: unknown): TypeError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text
  return misuse(
    'ERR_GAIDAROS_HANDLER',
    `${option}: ${JSON.stringify(shown)}: ${why}; wanted an arrow expression such as r => r.toString()`,
    cause,
  )
}
