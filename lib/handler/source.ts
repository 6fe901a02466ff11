// What a function's source text says about it. Conservative: where the text does not prove that the second
// argument cannot be seen, it can.

/** Parameter lists of nothing or one plain name. */
const PARAMETERS =
  /^(?:async\s+)?(?:[\w$]+\s*=>|(?:function\s*\*?\s*)?(?:\*\s*)?(?:[\w$]+\s*)?\(\s*(?:[\w$]+\s*)?,?\s*\))/

/** Parameter lists of nothing. */
const NO_PARAMETERS = /^(?:async\s+)?(?:function\s*\*?\s*)?(?:\*\s*)?(?:[\w$]+\s*)?\(\s*\)/

/** Text that says nothing, or that may reach all arguments. */
const UNKNOWN = /\b(?:arguments|eval)\b|\[native code\]|\\u/

/**
 * False when the function provably never looks at a second argument.
 * @example
 * seesSecondArgument((request) => request) // false
 * seesSecondArgument((...all) => all[0]) // true
 */
export function seesSecondArgument(fn: (...args: never[]) => unknown): boolean {
  if (fn.length > 1) return true
  const text = Function.prototype.toString.call(fn)
  return !PARAMETERS.test(text) || UNKNOWN.test(text)
}

/**
 * False when the function provably never looks at any argument.
 * @example
 * seesFirstArgument(() => new Response('hello')) // false
 */
export function seesFirstArgument(fn: (...args: never[]) => unknown): boolean {
  if (fn.length > 0) return true
  const text = Function.prototype.toString.call(fn)
  return !NO_PARAMETERS.test(text) || UNKNOWN.test(text)
}
