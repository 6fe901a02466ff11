// Normalized values back to the text that a person would write.

import type { Kind, Option } from './option.js'
import { writeDuration, writeSize } from './quantity.js'

/**
 * The text of a value, such that readText() gives the value again.
 * @returns undefined for a function, class or object, which have no text.
 */
export function writeValue(option: Option, value: unknown): string | undefined {
  if (option.perNode && Array.isArray(value)) {
    const parts = value.map((item) => writeOne(option.kind, item))
    return parts.includes(undefined) ? undefined : parts.join(', ')
  }
  return writeOne(option.kind, value)
}

function writeOne(kind: Kind, value: unknown): string | undefined {
  switch (kind.type) {
    case 'bool':
      return value === true ? 'yes' : 'no'
    case 'size':
      return writeSize(value as number)
    case 'duration':
      return writeDuration(kind, value as number)
    case 'octal':
      return (value as number).toString(8).padStart(3, '0')
    case 'list':
      return (value as readonly string[]).join(', ')
    case 'json':
      return writeJson(value)
    case 'class':
    case 'function':
      return typeof value === 'string' ? value : undefined
    default:
      return String(value)
  }
}

/** Undefined for what JSON does not carry, a circle for example. */
function writeJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
