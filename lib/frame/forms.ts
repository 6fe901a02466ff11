// The framers that may be declared: their names, their settings, and the form that errors show.

import { list, refuse, suggestion } from './refusal.js'

/** Names that may be declared, with the form that errors and help show. */
export const FORMS = {
  line: 'line[,strip]',
  delimiter: 'delimiter:BYTES[,strip]',
  length: 'length:TYPE[,offset=0,adjust=0,inclusive,strip]',
  varint: 'varint[,strip]',
  fixed: 'fixed:SIZE',
  eof: 'eof',
  datagram: 'datagram',
  http: 'http',
} as const
export type FramerName = keyof typeof FORMS

export const NAMES = Object.keys(FORMS) as FramerName[]

/** Settings of an object, before they are checked; those of a text are brought into the same shape. */
export type Settings = Record<string, unknown>

/** Settings that each framer takes. */
export const TAKES: Record<FramerName, readonly string[]> = {
  line: ['strip'],
  delimiter: ['delimiter', 'strip'],
  length: ['type', 'offset', 'adjust', 'inclusive', 'strip'],
  varint: ['strip'],
  fixed: ['size'],
  eof: [],
  datagram: [],
  http: [],
}
/** The setting that the text gives behind the colon. */
export const ARGUMENT: Partial<Record<FramerName, string>> = {
  delimiter: 'delimiter',
  length: 'type',
  fixed: 'size',
}

export function nameOf(text: string, whole: unknown): FramerName {
  const name = NAMES.find((known) => known === text)
  if (name !== undefined) return name
  throw refuse(
    whole,
    `'${text}' is no framer${suggestion(text, NAMES)}; wanted one of ${list(Object.values(FORMS))}`,
  )
}
