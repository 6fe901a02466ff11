// Reads the golden corpus of frames; test/fixtures/frames/README.md says how a file reads.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HttpLimits } from '../../lib/engine/engine.js'
import type { CutStatus } from '../../lib/frame/framer.js'
import type { Taken } from './feed.js'

export interface Golden {
  name: string
  framer: string
  max: number
  input: Buffer
  frames: Taken[]
  end: CutStatus
  wanted: number
  refusal: number | undefined
  expects: boolean
  limits: HttpLimits
  at: number | undefined
  left: string
  last: string | undefined
  replies: { reply: Buffer; wire: string | undefined }[]
}

/** What a case may limit, as the names of options without their `http_`. */
const LIMITS: Readonly<Record<string, keyof HttpLimits>> = {
  max_line: 'httpMaxLine',
  max_headers: 'httpMaxHeaders',
  max_header_count: 'httpMaxHeaderCount',
  max_body: 'httpMaxBody',
  max_chunk_extension: 'httpMaxChunkExtension',
}

const ESCAPE = /\\(?:x([0-9a-f]{2})|([rnt0\\,])|\{(\d+)\*((?:\\x..|\\.|[^}]))\})/g
const LETTERS: Record<string, string> = { r: '\r', n: '\n', t: '\t', '0': '\0' }

/** Bytes, each as one latin1 character: easy to compare and to print. */
export function unescapeText(text: string): string {
  return text.replace(ESCAPE, (_all, hex, letter, count, one) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
    if (letter !== undefined) return LETTERS[letter] ?? letter
    return unescapeText(one).repeat(Number(count))
  })
}

function limit(golden: Golden, text: string): void {
  const [name = '', value] = text.split('=')
  const key = LIMITS[name]
  if (key === undefined) throw new Error(`unknown limit ${text}`)
  golden.limits[key] = Number(value)
}

function set(golden: Golden, key: string, value: string): void {
  const bytes = unescapeText(value)
  switch (key) {
    case 'framer':
      golden.framer = value
      break
    case 'max':
    case 'wanted':
    case 'at':
    case 'refusal':
      golden[key] = Number(value)
      break
    case 'input':
      golden.input = Buffer.concat([golden.input, Buffer.from(bytes, 'latin1')])
      break
    case 'frame':
      golden.frames.push({ whole: bytes, payload: bytes, flags: '' })
      break
    case 'payload':
      Object.assign(golden.frames.at(-1) as object, { payload: bytes })
      break
    case 'flags':
      Object.assign(golden.frames.at(-1) as object, { flags: value })
      break
    case 'expects':
      golden.expects = value === 'yes'
      break
    case 'limit':
      limit(golden, value)
      break
    case 'end':
      golden.end = value as CutStatus
      break
    case 'left':
    case 'last':
      golden[key] = bytes
      break
    case 'reply':
      golden.replies.push({ reply: Buffer.from(bytes, 'latin1'), wire: undefined })
      break
    case 'wire':
      Object.assign(golden.replies.at(-1) as object, { wire: bytes })
      break
    default:
      throw new Error(`unknown key ${key}`)
  }
}

function readGolden(name: string, text: string): Golden {
  const golden: Golden = {
    name,
    framer: '',
    max: 0,
    input: Buffer.alloc(0),
    frames: [],
    end: 'more',
    wanted: 0,
    refusal: undefined,
    expects: false,
    limits: {
      httpMaxLine: 0,
      httpMaxHeaders: 0,
      httpMaxHeaderCount: 0,
      httpMaxBody: 0,
      httpMaxChunkExtension: 0,
    },
    at: undefined,
    left: '',
    last: undefined,
    replies: [],
  }
  for (const line of text.split('\n')) {
    const match = /^(\w+):(?: (.*))?$/.exec(line)
    if (match !== null) set(golden, match[1] as string, match[2] ?? '')
    else if (line !== '' && !line.startsWith('#')) throw new Error(`${name}: ${line}`)
  }
  return golden
}

/** All cases below `root`, by framer and number. */
export function readCorpus(root: string): Golden[] {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.frames'))
    .sort()
    .map((name) => readGolden(name, readFileSync(join(root, name), 'utf8')))
}
