// Options as lines of a configuration file, for --print-config and the sample.

import { isDeepStrictEqual } from 'node:util'
import { Interpolation } from '../config/interpolation.js'
import { parseConf } from '../config/syntax.js'
import { confKey } from './names.js'
import type { Option } from './option.js'
import { type Place, readText } from './value.js'
import { writeValue } from './write.js'

/** Text as the value of a key: percent signs doubled, further lines indented. */
export const confValue = (text: string): string =>
  text.replaceAll('%', '%%').replaceAll('\n', '\n    ')

const line = (key: string, text: string): string => `${key} = ${confValue(text)}`.trimEnd()

/**
 * `key = value`, such that reading it gives the value again.
 * @param place where relative paths begin, for the text: a file reads them from its own directory
 * @returns undefined when no text does: a function, or code with a line that would be a comment.
 */
export function confLine(option: Option, value: unknown, place: Place = {}): string | undefined {
  const text = writeValue(option, rooted(option, value, place))
  if (text === undefined) return undefined
  const result = line(confKey(option), text)
  return reads(option, result, rooted(option, value, place)) ? result : undefined
}

function rooted(option: Option, value: unknown, place: Place): unknown {
  const text = option.kind.type === 'path' || option.kind.type === 'module' ? value : undefined
  if (typeof text !== 'string') return value
  const read = readText(option, text, place)
  return 'value' in read ? read.value : value
}

function reads(option: Option, text: string, value: unknown): boolean {
  const { entries, problems } = parseConf(`[${option.section}]\n${text}\n`)
  const [entry] = entries
  if (problems.length > 0 || entries.length !== 1 || entry === undefined) return false
  const expanded = new Interpolation(entries).expand(entry)
  if ('problem' in expanded) return false
  const read = readText(option, expanded.text)
  return 'value' in read && isDeepStrictEqual(read.value, value)
}
