// Values: text, or what the constructor was given, to the normalized value of a row.

import { isAbsolute, join, resolve } from 'node:path'
import { classify, wantedFunction } from './expression.js'
import type { Kind, Option } from './option.js'
import { readDuration, readInt, readOctal, readSize, wantedQuantity } from './quantity.js'
import { nearest } from './suggestion.js'

/** A value, or why there is none. */
export type Read =
  | { readonly value: unknown }
  | { readonly wanted: string; readonly suggestion?: string }

/** Where relative paths begin, and what ~ is. */
export interface Place {
  /** Directory of the configuration file; absent: paths stay relative to the working directory, which the user chose. */
  readonly directory?: string
  /** Absent: ~ is not expanded. */
  readonly home?: string
}

const TRUE = /^(1|yes|true|on)$/i
const FALSE = /^(0|no|false|off)$/i

const found = (value: unknown, wanted: string): Read =>
  value === undefined ? { wanted } : { value }

/** Reads the text of one value of this kind. */
function readOne(kind: Kind, text: string, place: Place): Read {
  switch (kind.type) {
    case 'bool':
      if (TRUE.test(text)) return { value: true }
      return FALSE.test(text) ? { value: false } : { wanted: wantedValue(kind) }
    case 'int':
      return found(readInt(kind, text), wantedValue(kind))
    case 'octal':
      return found(readOctal(kind, text), wantedValue(kind))
    case 'size':
      return found(readSize(kind, text), wantedValue(kind))
    case 'duration':
      return found(readDuration(kind, text), wantedValue(kind))
    case 'enum':
      return readEnum(kind.values, text)
    case 'list':
      return { value: items(text).map((item) => (kind.of === 'path' ? path(item, place) : item)) }
    case 'json':
      return readJson(kind, text)
    case 'path':
      return noNul(path(text, place))
    case 'module':
      if (/^\s*data:/i.test(text)) return { wanted: 'a file or a package, not code in a URL' }
      return noNul(looksLikeFile(text) ? path(text, place) : text)
    case 'class':
    case 'function':
      return readFunction(kind, text)
    case 'string':
      return noNul(text)
  }
}

const noNul = (text: string): Read =>
  text.includes('\0') ? { wanted: 'text without a NUL character' } : { value: text }

function readEnum(values: readonly (string | number)[], text: string): Read {
  const value = values.find((v) => String(v).toLowerCase() === text.toLowerCase())
  if (value !== undefined) return { value }
  const suggestion = nearest(text, values.map(String))
  return { wanted: wantedValue({ type: 'enum', values }), ...(suggestion ? { suggestion } : {}) }
}

function readFunction(kind: Kind, text: string): Read {
  const takes = kind.type === 'function' ? kind.takes : []
  const trimmed = text.trim()
  if (trimmed === '') return { value: '' }
  const expression = classify(text, takes)
  if (kind.type === 'class' && expression === 'code') return { wanted: wantedValue(kind) }
  return expression === undefined ? { wanted: wantedValue(kind) } : { value: text }
}

const INHERITED = new Set(['__proto__', 'constructor', 'prototype'])

function readJson(kind: Extract<Kind, { type: 'json' }>, text: string): Read {
  try {
    const value: unknown = JSON.parse(text, (key, item) => {
      if (INHERITED.has(key)) throw new SyntaxError(key)
      return item
    })
    return ofShape(kind.shape, value) ? { value } : { wanted: wantedValue(kind) }
  } catch {
    return { wanted: wantedValue(kind) }
  }
}

const ofShape = (shape: 'array' | 'object', value: unknown): boolean =>
  shape === 'array'
    ? Array.isArray(value)
    : typeof value === 'object' && value !== null && !Array.isArray(value)

/** Items of a list in text: separated by commas and line ends, trimmed; empty ones do not count. */
const items = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** In a file, a bare name is a module of its own name, anything with a slash or a suffix is a path. */
const looksLikeFile = (text: string): boolean =>
  !text.startsWith('@') &&
  !/^[a-z]+:/i.test(text) &&
  (/\//.test(text) || /\.[cm]?[jt]s$/.test(text))

function path(text: string, place: Place): string {
  if (place.home !== undefined && (text === '~' || text.startsWith('~/')))
    return join(place.home, text.slice(1))
  if (text === '' || /^[@~]/.test(text) || isAbsolute(text) || place.directory === undefined)
    return text
  return resolve(place.directory, text)
}

/** What values of a kind look like, for messages. */
export function wantedValue(kind: Kind): string {
  switch (kind.type) {
    case 'bool':
      return 'yes or no (1, true, on, 0, false, off)'
    case 'enum':
      return `one of ${kind.values.map((v) => (v === '' ? '""' : v)).join(', ')}`
    case 'list':
      return kind.of === 'path' ? 'files, separated by commas' : 'a list, separated by commas'
    case 'json':
      return `a JSON ${kind.shape} without __proto__, constructor and prototype as keys`
    case 'function':
      return wantedFunction(kind.takes)
    case 'class':
      return 'the name of a class'
    case 'path':
    case 'module':
    case 'string':
      return 'text'
    default:
      return wantedQuantity(kind)
  }
}

/** First failure among several, else all values. */
export function readAll(reads: readonly Read[]): Read {
  const bad = reads.find((read) => 'wanted' in read)
  return bad ?? { value: reads.map((read) => ('value' in read ? read.value : undefined)) }
}

/**
 * Reads an option's text as it stands on the command line, in the environment or in a file.
 * A perNode option with a comma is a list, where an item may be empty.
 */
export function readText(option: Option, text: string, place: Place = {}): Read {
  if (option.perNode && text.includes(','))
    return readAll(text.split(',').map((item) => readOne(option.kind, item.trim(), place)))
  return readOne(option.kind, text, place)
}
