// The text form of a declared framer, `name[:argument][,setting...]`, brought into the shape of its object.

import { type Part, splitParts, unescapeBytes } from './escapes.js'
import { ARGUMENT, FORMS, type FramerName, nameOf, type Settings, TAKES } from './forms.js'
import { refuse, suggestion } from './refusal.js'

/** What may be set behind the argument: a flag, or a number within bounds. */
const FLAGS = ['strip', 'inclusive'] as const
const NUMBERS = ['offset', 'adjust'] as const

/** Digits of a text as a number; anything else stays as it is, for the bounds check to show. */
const numeral = (text: string): number | string => (/^[-+]?\d+$/.test(text) ? Number(text) : text)

function readArgument(name: FramerName, argument: Part, whole: string): Settings {
  const setting = ARGUMENT[name]
  if (setting === undefined) {
    throw refuse(whole, `${name} takes nothing behind a colon; wanted ${FORMS[name]}`)
  }
  if (setting === 'size') return { size: numeral(argument.raw) }
  return { [setting]: setting === 'delimiter' ? unescapeBytes(argument, whole) : argument.raw }
}

function readSetting(name: FramerName, raw: string, whole: string): [string, unknown] {
  if (raw === '') {
    throw refuse(
      whole,
      `nothing stands behind a comma (one in a delimiter is written \\,); wanted ${FORMS[name]}`,
    )
  }
  const equals = raw.indexOf('=')
  const setting = equals < 0 ? raw : raw.slice(0, equals)
  const known = [...FLAGS, ...NUMBERS].find((s) => s === setting)
  if (known === undefined || !TAKES[name].includes(setting)) {
    const here = TAKES[name].filter((s) => s !== ARGUMENT[name])
    const hint = suggestion(setting, here)
    throw refuse(whole, `'${raw}' is no setting of ${name}${hint}; wanted ${FORMS[name]}`)
  }
  const isFlag = FLAGS.some((f) => f === setting)
  if (isFlag && equals >= 0) throw refuse(whole, `'${setting}' takes no value; wanted ${setting}`)
  if (!isFlag && equals < 0) throw refuse(whole, `'${setting}' has no value; wanted ${setting}=N`)
  return [setting, isFlag ? true : numeral(raw.slice(equals + 1))]
}

/** Name and settings of a text; the settings are not checked yet. */
export function fromText(text: string): [FramerName, Settings] {
  const [first, ...rest] = splitParts(text) as [Part, ...Part[]]
  const colon = first.raw.indexOf(':')
  const name = nameOf(colon < 0 ? first.raw : first.raw.slice(0, colon), text)
  const settings: Settings =
    colon < 0
      ? {}
      : readArgument(name, { raw: first.raw.slice(colon + 1), at: first.at + colon + 1 }, text)
  for (const part of rest) {
    const [setting, value] = readSetting(name, part.raw, text)
    if (setting in settings) throw refuse(text, `'${setting}' is given twice; wanted once`)
    settings[setting] = value
  }
  return [name, settings]
}
