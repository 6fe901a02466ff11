// Handlers that helpers make see the helper's variables. Named here, they go along where the handler runs in
// another thread or process (sent.ts).

type Captured = Readonly<Record<string, unknown>>
type AnyFunction = (...args: never[]) => unknown

const CAPTURED = new WeakMap<AnyFunction, Captured>()

/** `fn` as it is; `captured` are the variables that it sees, by their names in its text. */
export function capturing<F extends AnyFunction>(fn: F, captured: Captured): F {
  CAPTURED.set(fn, captured)
  return fn
}

/** A method stands for itself only within an object. */
const isMethod = (text: string): boolean =>
  /^(async\s+)?\*?\s*(?!function\b|async\b)[\w$]+\s*\(/.test(text)

/** An expression that makes the value anew. */
export function sourceOf(value: unknown, name = 'value'): string {
  if (typeof value === 'function') return functionSource(value as AnyFunction, name)
  if (typeof value === 'symbol') return `Symbol(${JSON.stringify(value.description)})`
  if (value instanceof Error) return `new Error(${JSON.stringify(value.message)})`
  if (value instanceof Uint8Array) return `Buffer.from([${value}])`
  if (value instanceof RegExp) return String(value)
  return value === undefined ? 'undefined' : JSON.stringify(value)
}

function functionSource(fn: AnyFunction, name: string): string {
  const text = String(fn)
  const expression = isMethod(text) ? `({ ${text} }).${name}` : text
  const variables = Object.entries(CAPTURED.get(fn) ?? {}).map(
    ([each, value]) => `const ${each} = ${sourceOf(value, each)}`,
  )
  return variables.length === 0
    ? expression
    : `(() => {\n${variables.join('\n')}\nreturn ${expression}\n})()`
}
